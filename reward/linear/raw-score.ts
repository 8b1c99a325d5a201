/** From hashed n-grams to a text's uncalibrated score. */
import { combineViews } from "../classifier/views.ts";
import { splitSentences } from "../text/sentences.ts";
import { linearFeatures } from "./features.ts";

/** sum of the buckets' weights / sqrt(their number): a long text's score does not grow with its mere length. */
export function linearSum(features: Int32Array, weights: Float32Array | Int8Array): number {
  let sum = 0;
  for (const bucket of features) sum += weights[bucket] as number;
  return sum / Math.sqrt(features.length);
}

/**
 * The mean of the whole text's score and the log-mean-exp of its sentences' (`combineViews`), so that one bad sentence
 * in a long polite text is found. No bias: the calibration's offset is one.
 * @param step what one unit of a weight is worth
 * @returns null for a text without a word or sign
 */
export function linearScore(text: string, weights: Float32Array | Int8Array, step: number): number | null {
  const score = (part: string) => {
    const features = linearFeatures(part, weights.length);
    return features.length === 0 ? null : step * linearSum(features, weights);
  };
  const whole = score(text);
  if (whole === null) return null;
  const sentences = splitSentences(text);
  if (sentences.length < 2) return whole;
  return combineViews(
    [whole],
    sentences.map(score).filter((value) => value !== null),
  );
}
