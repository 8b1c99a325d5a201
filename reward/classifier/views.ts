/** Which windows of a text are scored, and how their raw outputs become the text's. */
import { type FeatureShape, type TextFeatures, textFeatures } from "../text/features.ts";
import { splitSentences } from "../text/sentences.ts";

export interface TextViews {
  /** Overlapping windows over the text as a whole. */
  whole: TextFeatures[];
  /** Windows of single sentences; empty where the text is one sentence. */
  sentences: TextFeatures[];
}

/** Characters read at most: of a longer text, this many from both ends together. */
const longestText = 200_000;

export function textViews(text: string, shape: FeatureShape): TextViews {
  const half = longestText / 2;
  const read = text.length <= longestText ? text : `${text.slice(0, half)} ${text.slice(-half)}`;
  const parts = splitSentences(read);
  return {
    whole: textFeatures(read, shape),
    sentences: parts.length < 2 ? [] : parts.flatMap((part) => textFeatures(part, shape)),
  };
}

/** The mean of the worst window of the whole and the worst sentence. */
export function combineViews(whole: readonly number[], sentences: readonly number[]): number {
  const worst = largest(whole);
  return sentences.length === 0 ? worst : (worst + largest(sentences)) / 2;
}

// Not Math.max(...values): a long text has more windows than a call may have arguments.
const largest = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
