import { z } from "zod";
import { readCsv } from "./read-rows.ts";
import type { ScoredReply } from "./types.ts";

// An empty cell and -1 mean "not scored"; Number("") would silently make it 0, the cleanest score there is.
const optionalScore = z
  .string()
  .transform((cell) => (cell.trim() === "" || Number(cell) === -1 ? undefined : Number(cell)))
  .pipe(z.number().min(0).max(1).optional());

const row = z.object({
  prompt: z.string(),
  response: z.string(),
  perspective_toxicity: optionalScore,
  roberta_hate: z.string().min(1).transform(Number).pipe(z.number().min(0).max(1)),
  prompts: z.string(),
  model: z.string(),
  stage: z.string(),
});

/**
 * Replies of other people's models with Perspective and RoBERTa scores (from RewardLM), for measuring a reward model.
 * They state no licence: for evaluation only, never for training.
 */
export function loadPerspectiveScored(path: string): ScoredReply[] {
  return readCsv(path, row).map((line) => ({
    prompt: line.prompt,
    reply: line.response,
    perspectiveToxicity: line.perspective_toxicity,
    robertaHate: line.roberta_hate,
    prompts: line.prompts,
    model: line.model,
    stage: line.stage,
  }));
}
