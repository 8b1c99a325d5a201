import type { PpoSettings } from "../contract.ts";
import { shuffled } from "../pretrain/shuffle.ts";
import { fixedPpoSettings } from "./default-settings.ts";

type Sizes = Pick<PpoSettings, "batchSize" | "seed" | "epochs">;

function cut<T>(items: readonly T[], size: number): T[][] {
  const pieces = Math.ceil(items.length / size);
  return Array.from({ length: pieces }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** The snapshot in an order that the seed decides, cut into batches whose old log-probs are computed together. */
export function batchesOf<T>(replies: readonly T[], { batchSize, seed }: Sizes): T[][] {
  return cut(shuffled(replies, seed), batchSize * fixedPpoSettings.minibatchesPerBatch);
}

/** Optimizer steps that a batch of so many replies takes, all epochs together. */
export function stepsOf(replies: number, { batchSize, epochs }: Sizes): number {
  return epochs * Math.ceil(replies / batchSize);
}

/** The minibatches of all epochs over one batch, mixed anew for each. @param batch its number in the run */
export function minibatchesOf<T>(experiences: readonly T[], batch: number, { batchSize, seed, epochs }: Sizes): T[][] {
  const epochSeed = (epoch: number) => seed + 1 + batch * epochs + epoch;
  return Array.from({ length: epochs }, (_, epoch) => cut(shuffled(experiences, epochSeed(epoch)), batchSize)).flat();
}
