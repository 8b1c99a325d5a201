/** Our engine's part of a comparison: the step graph, cache and sampler that the scheduler drives, without the chat. */
import type { BaseModel } from "../engine/checkpoint/base-model.ts";
import type { StackedAdapter } from "../engine/generation/adapter-stack.ts";
import { KvCache } from "../engine/generation/kv-cache.ts";
import { greedyDraw } from "../engine/generation/sampler.ts";
import { type Place, StepModel, type StepRow } from "../engine/generation/step-model.ts";
import { type Contender, promptOf, shortPrompt } from "./contender.ts";

const sampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 0 };
/** Tokens of a prompt that the scheduler reads at once while nobody else speaks. */
const chunk = 256;

async function draw(model: StepModel, cache: KvCache, slot: number, rows: StepRow[], places: Place[]) {
  const predictions = await model.predict(cache, slot, rows, places);
  return predictions.map((prediction) => {
    return greedyDraw("logits" in prediction ? prediction.logits : prediction.probabilities, 0).token;
  });
}

/** Reads a prompt into a slot as the scheduler does. @returns the first new token */
async function readPrompt(model: StepModel, cache: KvCache, slot: number, prompt: readonly number[]): Promise<number> {
  cache.reserve(slot + 1, prompt.length);
  let token = 0;
  for (let start = 0; start < prompt.length; start += chunk) {
    const tokens = prompt.slice(start, start + chunk);
    const isLast = start + tokens.length === prompt.length;
    const places = isLast ? [{ at: tokens.length - 1, sampling }] : [];
    [token = 0] = await draw(model, cache, slot, [{ tokens, start, adapter: null }], places);
  }
  return token;
}

/** Seconds of `steps` steps over slots that hold `start` tokens each; row i is adapted by adapters[i]. */
export async function timeSteps(
  model: StepModel,
  cache: KvCache,
  {
    first,
    start,
    steps,
    adapters,
  }: {
    first: readonly number[];
    start: number;
    steps: number;
    adapters?: readonly (StackedAdapter | null)[];
  },
): Promise<number> {
  let tokens = first;
  cache.reserve(first.length, start + steps);
  const places = first.map((_, at) => ({ at, sampling }));
  const began = performance.now();
  for (let step = 0; step < steps; step++) {
    const rows = tokens.map((token, row) => ({
      tokens: [token],
      start: start + step,
      adapter: adapters?.[row] ?? null,
    }));
    tokens = await draw(model, cache, 0, rows, places);
  }
  return (performance.now() - began) / 1000;
}

export function contenderOf(model: StepModel): Contender {
  return {
    name: "ours",
    async prefill(promptTokens) {
      const began = performance.now();
      await readPrompt(model, new KvCache(model.architecture), 0, promptOf(promptTokens, 0));
      return (performance.now() - began) / 1000;
    },
    async decode(streams, steps) {
      const cache = new KvCache(model.architecture);
      const first: number[] = [];
      for (let slot = 0; slot < streams; slot++) {
        first.push(await readPrompt(model, cache, slot, promptOf(shortPrompt, slot)));
      }
      return timeSteps(model, cache, { first, start: shortPrompt, steps });
    },
    dispose: () => model.dispose(),
  };
}

export async function ourContender(model: BaseModel, threads: number): Promise<Contender> {
  return contenderOf(await StepModel.create(model, { threads }));
}
