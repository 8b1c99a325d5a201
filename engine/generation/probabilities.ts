/** From logits to the probabilities that sampling begins with, where the step graph cannot do it for all rows alike. */
import type { SamplingOptions } from "../types.ts";

/** Lower temperatures sample as this one does: beyond it float32 cannot tell likely tokens apart. */
const lowestTemperature = 1e-6;

export const inverseTemperature = (temperature: number) => 1 / Math.max(temperature, lowestTemperature);

/**
 * Repetition penalty (Keskar et al. 2019): logits of tokens seen before are divided by it where positive and multiplied
 * where negative. In place.
 */
export function penalize(logits: Float32Array, seen: Iterable<number>, penalty: number): void {
  for (const token of seen) {
    const logit = logits[token] as number;
    logits[token] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

/** softmax(logits / temperature) of one row. */
export function probabilitiesOf(logits: Float32Array, temperature: number): Float32Array {
  const scale = inverseTemperature(temperature);
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (!(logit <= largest)) largest = logit;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - largest) * scale));
  const mass = weights.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(weights, (weight) => weight / mass);
}

/** Can the step graph's softmax serve this request, or must its logits be looked at? */
export function needsLogits({ temperature, repetitionPenalty }: SamplingOptions): boolean {
  return temperature === 0 || repetitionPenalty !== 1;
}
