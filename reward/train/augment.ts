/**
 * Longer texts out of short ones. Training sets hold single posts, but replies run to several sentences: joining an
 * example with harmless ones, before or after, keeps its label and teaches that one bad sentence is enough.
 */
import type { TextFeatures } from "../text/features.ts";

/** Features of two texts one after the other, cut to `longest` words. The pair of words at the seam is not formed. */
export function joinFeatures(first: TextFeatures, second: TextFeatures, longest: number): TextFeatures {
  const firstWords = first.offsets.length - 1;
  const words = Math.min(second.offsets.length - 1, longest - firstWords);
  if (words <= 0) return first;
  const taken = second.offsets[words] as number;
  const subwords = new Int32Array(first.subwords.length + taken);
  subwords.set(first.subwords);
  subwords.set(second.subwords.subarray(0, taken), first.subwords.length);
  const offsets = new Int32Array(firstWords + words + 1);
  offsets.set(first.offsets);
  for (let t = 1; t <= words; t++) offsets[firstWords + t] = first.subwords.length + (second.offsets[t] as number);
  return { wide: Int32Array.from(new Set([...first.wide, ...second.wide])), subwords, offsets };
}
