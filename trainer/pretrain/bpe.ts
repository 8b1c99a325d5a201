/**
 * Training of a byte-level BPE vocabulary (Sennrich et al. 2016, in GPT-2's byte-level form).
 *
 * Counts of adjacent pairs are kept incrementally over the distinct pre-tokens: a merge touches only the pre-tokens
 * that hold the pair, and a heap with lazily corrected counts yields the next pair. Ties go to the pair with the
 * smaller ids, as in the Rust `tokenizers` trainer, so that both learn the same merges from the same text.
 */
import { MaxHeap } from "./bpe-heap.ts";

/** GPT-2's pre-tokenization: contractions, words, numbers and symbols, each with the space before it. */
export const preTokenPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface BpeVocabulary {
  /** Token text (in byte-level characters, special tokens as they are) by id. */
  tokens: string[];
  /** Merges in the order in which they were learnt, as ids: `[left, right, merged]`. */
  merges: [left: number, right: number, merged: number][];
}

/**
 * GPT-2's printable stand-in for each byte: printable Latin-1 characters stand for themselves, the other 68 bytes for
 * the characters from U+0100 on.
 */
export function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/** How often each distinct pre-token occurs, ready for `trainBpe`. */
export function countPreTokens(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const preToken of text.match(preTokenPattern) ?? []) counts.set(preToken, (counts.get(preToken) ?? 0) + 1);
  }
  return counts;
}

export interface BpeOptions {
  /** Size of the whole vocabulary: special tokens, 256 bytes and merges. */
  vocabSize: number;
  /** Take the ids from 0 on, in this order. */
  specialTokens: readonly string[];
  /** A pair seen less often is not merged; the vocabulary may then stay smaller. Default 2. */
  minFrequency?: number;
}

// Ids stay below 65,536, so that a pair fits a safe integer and a token a Uint16.
const idLimit = 65_536;

/**
 * Learns merges from counted pre-tokens.
 * @throws RangeError when `vocabSize` cannot hold the special tokens and the 256 bytes, or exceeds 65,536.
 */
export function trainBpe(preTokens: ReadonlyMap<string, number>, options: BpeOptions): BpeVocabulary {
  const { vocabSize, specialTokens, minFrequency = 2 } = options;
  const smallest = specialTokens.length + 256;
  if (!Number.isInteger(vocabSize) || vocabSize < smallest || vocabSize > idLimit) {
    throw new RangeError(`vocabSize: expected an integer from ${smallest} to ${idLimit}, got ${vocabSize}`);
  }

  const characterOfByte = byteCharacters();
  const alphabet = [...characterOfByte].sort();
  const tokens = [...specialTokens, ...alphabet];
  const idOfToken = new Map(tokens.map((token, id) => [token, id]));
  const idOfByte = characterOfByte.map((character) => idOfToken.get(character) ?? 0);

  const encoder = new TextEncoder();
  const words: number[][] = [];
  const wordCounts: number[] = [];
  for (const [preToken, count] of preTokens) {
    words.push(Array.from(encoder.encode(preToken), (byte) => idOfByte[byte] ?? 0));
    wordCounts.push(count);
  }

  const pairCounts = new Map<number, number>();
  const wordsOfPair = new Map<number, Set<number>>();
  const addPair = (pair: number, word: number, change: number) => {
    pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + change);
    if (change < 0) return;
    const holders = wordsOfPair.get(pair);
    if (holders) holders.add(word);
    else wordsOfPair.set(pair, new Set([word]));
  };
  for (const [index, word] of words.entries()) {
    for (let i = 0; i + 1 < word.length; i++) addPair(pairKey(word, i), index, wordCounts[index] ?? 0);
  }

  const heap = new MaxHeap();
  for (const [pair, count] of pairCounts) heap.push(count, pair);

  const merges: BpeVocabulary["merges"] = [];
  while (tokens.length < vocabSize) {
    const top = heap.pop();
    if (!top) break;
    const count = pairCounts.get(top.key) ?? 0;
    if (count !== top.priority) {
      if (count >= minFrequency) heap.push(count, top.key);
      continue;
    }
    if (count < minFrequency) break;

    const left = Math.floor(top.key / idLimit);
    const right = top.key % idLimit;
    const text = `${tokens[left]}${tokens[right]}`;
    // Two ways to build one text ("a"+"bc", "ab"+"c") share one id, as in the Rust trainer.
    let merged = idOfToken.get(text);
    if (merged === undefined) {
      merged = tokens.push(text) - 1;
      idOfToken.set(text, merged);
    }
    merges.push([left, right, merged]);

    const grown = new Set<number>();
    for (const index of wordsOfPair.get(top.key) ?? []) {
      const word = words[index] ?? [];
      const weight = wordCounts[index] ?? 0;
      const shorter = mergeWord(word, left, right, merged);
      if (shorter.length === word.length) continue;
      for (let i = 0; i + 1 < word.length; i++) addPair(pairKey(word, i), index, -weight);
      for (let i = 0; i + 1 < shorter.length; i++) {
        const pair = pairKey(shorter, i);
        addPair(pair, index, weight);
        if (shorter[i] === merged || shorter[i + 1] === merged) grown.add(pair);
      }
      words[index] = shorter;
    }
    pairCounts.delete(top.key);
    wordsOfPair.delete(top.key);
    for (const pair of grown) heap.push(pairCounts.get(pair) ?? 0, pair);
  }
  return { tokens, merges };
}

function pairKey(word: readonly number[], i: number): number {
  return (word[i] ?? 0) * idLimit + (word[i + 1] ?? 0);
}

function mergeWord(word: readonly number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      result.push(merged);
      i++;
    } else result.push(word[i] ?? 0);
  }
  return result;
}
