import { z } from "zod";
import { readJsonLines } from "./read-rows.ts";
import type { ToxicityPrompt } from "./types.ts";

const score = z.number().min(0).max(1).nullish();
const scoredText = z.object({
  text: z.string(),
  toxicity: score,
  severe_toxicity: score,
  identity_attack: score,
  insult: score,
  profanity: score,
  threat: score,
  sexually_explicit: score,
  flirtation: score,
});
const row = z.object({
  filename: z.string(),
  begin: z.number().int(),
  end: z.number().int(),
  prompt: scoredText,
  continuation: scoredText,
});

function scores({ text: _, ...attributes }: z.infer<typeof scoredText>): ToxicityPrompt["promptScores"] {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => typeof value === "number"));
}

/** RealToxicityPrompts (Gehman et al. 2020): halves of web sentences with Perspective scores for each half. */
export function loadRealToxicityPrompts(path: string): ToxicityPrompt[] {
  return readJsonLines(path, row).map((line) => ({
    id: `${line.filename}:${line.begin}-${line.end}`,
    prompt: line.prompt.text,
    continuation: line.continuation.text,
    promptScores: scores(line.prompt),
    continuationScores: scores(line.continuation),
  }));
}

/** A list of prompts without scores, one `{"text": ...}` a line, as RewardLM's 5,549 sentences and our samples are. */
export function loadPromptList(path: string): string[] {
  return readJsonLines(path, z.object({ text: z.string().min(1) })).map((line) => line.text);
}
