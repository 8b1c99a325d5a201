/**
 * Hashed n-grams of a text for the linear classifier, the same in training and in scoring.
 *
 * Unlike the embedded classifier's features these undo no spelling tricks, and their character n-grams run across
 * word boundaries: a second judge should not stumble over the same things as the first.
 */
import { hashText } from "../text/features.ts";

const salts = { word: 0x51, pair: 0x52, characters: 0x53 } as const;
/** Lengths of the character n-grams. */
const [shortestGram, longestGram] = [3, 5];

/** A word with inner apostrophes, or a run of other signs ("!!!", "***", an emoji). */
const token = /[\p{L}\p{N}\p{M}]+(?:'[\p{L}\p{N}]+)*|[^\s\p{L}\p{N}\p{M}]+/gu;

/**
 * @param buckets a power of two
 * @returns distinct buckets of the words, pairs of neighbouring words and character 3-5-grams of the lower-cased text
 */
export function linearFeatures(text: string, buckets: number): Int32Array {
  const mask = buckets - 1;
  const tokens =
    text
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[’‘`´]/g, "'")
      .match(token) ?? [];
  const found = new Set<number>();
  let previous = "";
  for (const word of tokens) {
    found.add(hashText(word, salts.word) & mask);
    if (previous !== "") found.add(hashText(`${previous} ${word}`, salts.pair) & mask);
    previous = word;
  }
  const plain = ` ${tokens.join(" ")} `;
  for (let length = shortestGram; length <= longestGram; length++) {
    for (let start = 0; start + length <= plain.length; start++) {
      found.add(hashText(plain.slice(start, start + length), salts.characters) & mask);
    }
  }
  return tokens.length === 0 ? new Int32Array() : Int32Array.from(found).sort();
}
