import type { Engine, ModelInfo } from "../../engine/types.ts";
import type { AdapterProbe } from "./manifest.ts";

type Precision = ModelInfo["quantization"];

/** Between a base model's own precision and another; another adapter differs by more than a nat. */
const maxAcrossPrecisions: Record<Precision, number> = { none: 0, int8: 0.2, int4: 0.8 };

/**
 * Mean absolute difference (nats) above which the served adapter is taken not to be the trained one.
 * With rounded activations the last bits of a sum decide between two levels now and then, so that the trainer's order
 * of summing shows in the result: docs/decisions/2026-11-24-quantization.md.
 */
export function maxProbeDifference(trained: Precision, served: Precision): number {
  if (trained !== served) return Math.max(maxAcrossPrecisions[trained], maxAcrossPrecisions[served]);
  return served === "none" ? 0.02 : 0.1;
}

/** mean |served - trained| of the log-probs (nats) of the probe's tokens. */
export function meanAbsoluteDifference(served: readonly number[], trained: readonly number[]): number {
  if (served.length !== trained.length || trained.length === 0) {
    throw new RangeError(`Expected ${trained.length} log-probs (at least 1) on both sides, got ${served.length}`);
  }
  let sum = 0;
  for (const [index, value] of trained.entries()) sum += Math.abs((served[index] ?? Number.NaN) - value);
  return sum / trained.length;
}

/** Scores the sample that the trainer stored with an adapter by what the engine serves under that hash. */
export async function probeAdapter(
  engine: Pick<Engine, "score">,
  sha256: string,
  probe: AdapterProbe,
): Promise<number> {
  const served = await engine.score({ tokens: probe.tokens, from: probe.from, adapter: sha256 });
  return meanAbsoluteDifference(served, probe.logProbs);
}
