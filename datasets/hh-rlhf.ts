import { z } from "zod";
import { RowError, readJsonLines } from "./read-rows.ts";
import type { Dialogue, Turn } from "./types.ts";

const row = z.object({ chosen: z.string(), rejected: z.string() });
const marker = /\n\n(Human|Assistant):/;

/** The turns of a transcript "\n\nHuman: ... \n\nAssistant: ..."; consecutive turns of one side become one. */
export function parseTranscript(transcript: string): Turn[] {
  // split() with a capturing group yields ["", "Human", text, "Assistant", text, ...].
  const parts = transcript.split(marker);
  const turns: Turn[] = [];
  for (let i = 1; i + 1 < parts.length; i += 2) {
    const role = parts[i] === "Human" ? "user" : "assistant";
    const content = parts[i + 1]?.trim() ?? "";
    if (content === "") continue;
    const last = turns.at(-1);
    if (last?.role === role) last.content += ` ${content}`;
    else turns.push({ role, content });
  }
  return turns;
}

/**
 * Dialogues of hh-rlhf's harmless part (Bai et al. 2022) with the preferred ending.
 * @throws RowError where a transcript does not begin with a human turn.
 */
export function loadHhRlhf(path: string): Dialogue[] {
  return readJsonLines(path, row).map(({ chosen }, index) => {
    const turns = parseTranscript(chosen);
    if (turns[0]?.role !== "user")
      throw new RowError(path, index + 1, 'expected "chosen" to begin with "\\n\\nHuman:"');
    return { id: String(index), source: "hh-rlhf", turns };
  });
}
