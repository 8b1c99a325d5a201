/** Measures of a score against labels. */

/**
 * Area under the ROC curve: the probability that a random positive scores above a random negative, ties counting half
 * (the Mann-Whitney statistic). NaN where one side is empty.
 */
export function areaUnderCurve(positives: readonly number[], negatives: readonly number[]): number {
  const ranked = [
    ...positives.map((score) => ({ score, positive: true })),
    ...negatives.map((score) => ({ score, positive: false })),
  ].sort((a, b) => a.score - b.score);
  let rankSum = 0;
  for (let start = 0; start < ranked.length; ) {
    let end = start;
    while (end < ranked.length && ranked[end]?.score === ranked[start]?.score) end++;
    const meanRank = (start + 1 + end) / 2;
    rankSum += meanRank * ranked.slice(start, end).filter((item) => item.positive).length;
    start = end;
  }
  const n = positives.length;
  return (rankSum - (n * (n + 1)) / 2) / (n * negatives.length);
}

export const shareAbove = (scores: readonly number[], threshold: number) =>
  scores.filter((score) => score > threshold).length / scores.length;

export const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
