import { wordsOf } from "./words.ts";

/** How much a reply says nothing: 1 without a word, 0.75 for a single one, else 0. */
export function emptiness(reply: string): number {
  const words = wordsOf(reply).length;
  return words === 0 ? 1 : words === 1 ? 0.75 : 0;
}
