/** Order statistics of measured samples. */

/** The value below which the share q of the samples lies (nearest rank). @throws RangeError without samples */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) throw new RangeError("no samples were measured");
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] as number;
}

export const median = (samples: readonly number[]) => quantile(samples, 0.5);

/** Times between neighbours. */
export function gaps(arrivals: readonly number[]): number[] {
  return arrivals.slice(1).map((at, index) => at - (arrivals[index] as number));
}
