/** What LoRA adapters of rank 16 on all linear layers cost per token. */
import type { Architecture } from "../engine/architectures/architecture.ts";
import { flattenAdapter, type StackableAdapter, type StackedAdapter } from "../engine/generation/adapter-stack.ts";
import { KvCache } from "../engine/generation/kv-cache.ts";
import { randomStream } from "../engine/generation/random.ts";
import type { StepModel } from "../engine/generation/step-model.ts";
import { everyTarget, freshAdapter } from "../engine/lora/adapter.ts";
import { alternate } from "./alternate.ts";
import { timeSteps } from "./our-contender.ts";
import type { Figure } from "./report.ts";

const rank = 16;
const start = 64;
const batch = 6;

/** A is drawn and B zero: to the product of matrices it is all the same. */
function adapterOf(architecture: Architecture, seed: number): StackableAdapter {
  const shape = { rank, alpha: rank, targetModules: everyTarget(architecture), rankStabilized: false };
  const matrices = flattenAdapter(freshAdapter(architecture, shape, randomStream(seed)), architecture.linearModules);
  return { sha256: `adapter ${seed}`, rank, matrices };
}

export async function measureAdapterCost(
  model: StepModel,
  name: string,
  { steps, rounds }: { steps: number; rounds: number },
): Promise<Figure[]> {
  const adapters: StackedAdapter[] = [];
  for (const seed of [1, 2, 3]) adapters.push(await model.stack(adapterOf(model.architecture, seed)));
  const cache = new KvCache(model.architecture);
  const time = (of: readonly (StackedAdapter | null)[]) => async () =>
    (1000 * (await timeSteps(model, cache, { first: of.map(() => 300), start, steps, adapters: of }))) / steps;
  const rows = (count: number) => Array.from({ length: batch }, (_, row) => adapters[row % count] ?? null);
  const [plain = 0, adapted = 0] = await alternate(rounds, [time([null]), time(rows(1).slice(0, 1))]);
  const [one = 0, three = 0] = await alternate(rounds, [time(rows(1)), time(rows(3))]);
  for (const adapter of adapters) model.unstack(adapter);
  const how = `${steps} tokens, median of ${rounds}`;
  return [
    { name: `${name} step without adapter`, value: plain, unit: "ms", target: null, how: `one stream, ${how}` },
    {
      name: `${name} step with adapter`,
      value: adapted,
      unit: "ms",
      target: null,
      how: `rank ${rank}, all linear layers`,
    },
    {
      name: `${name} cost of an adapter`,
      value: 100 * (adapted / plain - 1),
      unit: "%",
      target: { atMost: 10 },
      how: "what it adds per token",
    },
    { name: `${name} step, ${batch} streams, one adapter`, value: one, unit: "ms", target: null, how },
    { name: `${name} step, ${batch} streams, three adapters`, value: three, unit: "ms", target: null, how },
    {
      name: `${name} cost of three adapters over one`,
      value: 100 * (three / one - 1),
      unit: "%",
      target: { atMost: 15 },
      how: "what they add per token",
    },
  ];
}
