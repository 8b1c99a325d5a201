/** Measures things in turns, so that a machine that slows down or speeds up meanwhile does so for all of them. */
import { median } from "./statistics.ts";

/** Medians of `rounds` turns, in the order of the measurements. By default one turn before them is not counted. */
export async function alternate(
  rounds: number,
  measurements: readonly (() => Promise<number>)[],
  warmUp = true,
): Promise<number[]> {
  const samples = measurements.map((): number[] => []);
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    for (const [index, measure] of measurements.entries()) {
      const value = await measure();
      if (round >= 0) samples[index]?.push(value);
    }
  }
  return samples.map(median);
}
