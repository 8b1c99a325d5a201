/** How far two scores err together. */
import { mean } from "./metrics.ts";

/** Pearson's correlation, in -1..1; NaN where one side does not vary. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, ofA, ofB] = [0, 0, 0];
  for (const [i, value] of a.entries()) {
    const [x, y] = [value - meanA, (b[i] as number) - meanB];
    both += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return both / Math.sqrt(ofA * ofB);
}

/** What is left of a score once the part that follows `truth` linearly (least squares) is taken away. */
export function residuals(scores: readonly number[], truth: readonly number[]): number[] {
  const [meanScore, meanTruth] = [mean(scores), mean(truth)];
  let [both, ofTruth] = [0, 0];
  for (const [i, score] of scores.entries()) {
    const distance = (truth[i] as number) - meanTruth;
    both += (score - meanScore) * distance;
    ofTruth += distance * distance;
  }
  const slope = both / ofTruth;
  return scores.map((score, i) => score - meanScore - slope * ((truth[i] as number) - meanTruth));
}
