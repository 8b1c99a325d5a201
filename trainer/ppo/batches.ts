import { shuffled } from "../pretrain/shuffle.ts";
import type { PpoSettings } from "../settings.ts";

type Sizes = Pick<PpoSettings, "batchSize" | "minibatchesPerBatch" | "seed" | "epochs">;

/** Seeds of two rounds are this far apart: more than a round has epochs of batches. */
const roundApart = 2 ** 20;

function cut<T>(items: readonly T[], size: number): T[][] {
  const pieces = Math.ceil(items.length / size);
  return Array.from({ length: pieces }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** A round's replies in an order that the seed decides, cut into batches whose old log-probs are computed together. */
export function batchesOf<T>(
  replies: readonly T[],
  round: number,
  { batchSize, minibatchesPerBatch, seed }: Sizes,
): T[][] {
  return cut(shuffled(replies, seed + roundApart * round), batchSize * minibatchesPerBatch);
}

/** Optimizer steps that so many replies of one round take, all batches and epochs together. */
export function stepsOf(replies: number, { batchSize, epochs }: Sizes): number {
  return epochs * Math.ceil(replies / batchSize);
}

/** The minibatches of all epochs over one batch of a round, mixed anew for each. */
export function minibatchesOf<T>(
  experiences: readonly T[],
  { round, batch }: { round: number; batch: number },
  { batchSize, seed, epochs }: Sizes,
): T[][] {
  const epochSeed = (epoch: number) => seed + roundApart * round + 1 + batch * epochs + epoch;
  return Array.from({ length: epochs }, (_, epoch) => cut(shuffled(experiences, epochSeed(epoch)), batchSize)).flat();
}
