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

/**
 * The mean of two views of a text: its windows and, where it has several, its sentences. Each view is a log-mean-exp,
 *
 *     log(mean(exp(sharpness * raw))) / sharpness
 *
 * between the mean (which one bad sentence hardly moves) and the maximum (which grows with the mere number of parts).
 */
export function combineViews(whole: readonly number[], sentences: readonly number[]): number {
  const first = logMeanExp(whole);
  return sentences.length === 0 ? first : (first + logMeanExp(sentences)) / 2;
}

/** Chosen on held-out Jigsaw rows and on held-out sentences set among harmless ones. */
const sharpness = 2;

function logMeanExp(values: readonly number[]): number {
  // Not Math.max(...values): a long text has more windows than a call may have arguments.
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = values.reduce((total, value) => total + Math.exp(sharpness * (value - largest)), 0);
  return largest + Math.log(sum / values.length) / sharpness;
}
