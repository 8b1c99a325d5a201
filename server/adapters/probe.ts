import type { Engine } from "../../engine/types.ts";
import type { AdapterProbe } from "./manifest.ts";

/** Mean absolute difference (nats) above which the served adapter is taken not to be the trained one. */
export const maxProbeDifference = 0.02;

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
