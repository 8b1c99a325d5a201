/**
 * Hashed features of a text, the same in training and in scoring.
 *
 * Two views: a bag of word 1-2-grams and character 3-5-grams for the wide linear part, and for each word the buckets
 * whose embeddings sum to its vector (the word itself and its character n-grams, as in fastText, Bojanowski et al.
 * 2017), which the convolution reads in order.
 */
import { splitWords, type WordForms } from "./normalize.ts";

export interface FeatureShape {
  /** Buckets of the wide part; a power of two. */
  wideBuckets: number;
  /** Buckets of the embedding table; a power of two. */
  embeddingBuckets: number;
  /** Words per window. */
  windowWords: number;
}

export interface TextFeatures {
  /** Distinct buckets of the wide part. */
  wide: Int32Array;
  /** Buckets of all words one after the other. */
  subwords: Int32Array;
  /** Word t owns subwords[offsets[t] .. offsets[t + 1]]; length words + 1. */
  offsets: Int32Array;
}

/** FNV-1a over UTF-16 code units with MurmurHash3's finaliser, unsigned 32 bits; `salt` separates kinds of feature. */
export function hashText(text: string, salt: number): number {
  let hash = (0x811c9dc5 ^ salt) >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const salts = { word: 0x1f, pair: 0x2f, characters: 0x3f } as const;

/** Character n-grams (3 to 5) of a word between boundary marks, without the marked word itself: "<id", "idi", ... */
export function characterGrams(word: string): string[] {
  const marked = [...`<${word}>`];
  const grams: string[] = [];
  for (let length = 3; length <= 5 && length < marked.length; length++) {
    for (let start = 0; start + length <= marked.length; start++) {
      grams.push(marked.slice(start, start + length).join(""));
    }
  }
  return grams;
}

/**
 * Splits a text into windows of `windowWords` words that overlap by half and takes the features of each. A text
 * without words gives no windows.
 */
export function textFeatures(text: string, shape: FeatureShape): TextFeatures[] {
  const words = splitWords(text);
  const step = Math.max(1, shape.windowWords >> 1);
  const windows: TextFeatures[] = [];
  for (let start = 0; start < words.length; start += step) {
    windows.push(windowFeatures(words.slice(start, start + shape.windowWords), shape));
    if (start + shape.windowWords >= words.length) break;
  }
  return windows;
}

function windowFeatures(words: readonly WordForms[], shape: FeatureShape): TextFeatures {
  const wideMask = shape.wideBuckets - 1;
  const embeddingMask = shape.embeddingBuckets - 1;
  const wide = new Set<number>();
  const subwords: number[] = [];
  const offsets = new Int32Array(words.length + 1);
  let previous = "<";
  words.forEach((forms, t) => {
    const own = new Set<number>();
    for (const form of forms) {
      const hash = hashText(form, salts.word);
      wide.add(hash & wideMask);
      own.add(hash & embeddingMask);
      for (const gram of characterGrams(form)) {
        const gramHash = hashText(gram, salts.characters);
        wide.add(gramHash & wideMask);
        own.add(gramHash & embeddingMask);
      }
    }
    const current = forms[forms.length - 1] ?? "";
    wide.add(hashText(`${previous} ${current}`, salts.pair) & wideMask);
    previous = current;
    subwords.push(...own);
    offsets[t + 1] = subwords.length;
  });
  wide.add(hashText(`${previous} >`, salts.pair) & wideMask);
  return { wide: Int32Array.from(wide), subwords: Int32Array.from(subwords), offsets };
}
