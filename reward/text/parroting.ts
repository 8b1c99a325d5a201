import { wordsOf } from "./words.ts";

/** Runs of so many words are a repetition; shorter ones occur in every answer. "X are not Y" repeats nothing of "X are Y". */
const run = 3;
/** Up to this share a reply may quote what it answers. */
const ordinaryShare = 0.7;

/**
 * How much a reply says the message again, 0..1: the share of its words that stand in runs of at least three words of
 * the message, beyond what an answer may quote. A reply of fewer words counts only where it is the whole message.
 */
export function parroting(prompt: string, reply: string): number {
  const said = wordsOf(prompt);
  const words = wordsOf(reply);
  if (words.length === 0) return 0;
  if (words.length < run) return words.join(" ") === said.join(" ") ? 1 : 0;
  const runsOf = (text: readonly string[]) => text.slice(run - 1).map((_, i) => text.slice(i, i + run).join(" "));
  const heard = new Set(runsOf(said));
  const repeated = new Set<number>();
  for (const [start, phrase] of runsOf(words).entries()) {
    if (heard.has(phrase)) for (let i = 0; i < run; i++) repeated.add(start + i);
  }
  return Math.max(0, (repeated.size / words.length - ordinaryShare) / (1 - ordinaryShare));
}
