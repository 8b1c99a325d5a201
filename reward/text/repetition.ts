import { wordsOf } from "./words.ts";

/** Share of word triples that occurred before in the text, 0..1; 0 for texts of fewer than four triples. */
export function repetition(text: string): number {
  const words = wordsOf(text);
  const triples = words.slice(2).map((word, i) => `${words[i]} ${words[i + 1]} ${word}`);
  return triples.length < 4 ? 0 : 1 - new Set(triples).size / triples.length;
}
