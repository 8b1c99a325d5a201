/**
 * What each precision of cached keys and values costs and saves: perplexity of held-out text that is read token by
 * token, how often the most likely token stays the same, memory, and decoding speed; for
 * docs/decisions/2026-11-24-quantization.md.
 *
 *     node scripts/measure-kv-cache.ts --tokens heldout.bin [--model DIR] [--quantization none] [--chunks 64]
 *
 * The token file holds uint16 ids, as trainer/pretrain/prepare.ts writes them.
 */
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { kvPrecisions } from "../engine/generation/kv-storage.ts";
import { StepModel } from "../engine/generation/step-model.ts";
import { openBaseModel } from "../engine/open-base-model.ts";
import type { ModelInfo } from "../engine/types.ts";
import { chunkLength, TokenChunks } from "../trainer/pretrain/token-chunks.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(dirname(import.meta.dirname), "models", "rejoinder-tiny") },
    tokens: { type: "string" },
    quantization: { type: "string", default: "none" },
    chunks: { type: "string", default: "64" },
    threads: { type: "string", default: "1" },
  },
});
if (values.tokens === undefined) throw new Error("expected --tokens FILE");
const chunks = new TokenChunks(values.tokens, 1);
/** Sequences that are read side by side. */
const rows = 8;
const groups = Math.floor(Math.min(Number(values.chunks), chunks.chunks) / rows);
const base = await openBaseModel(values.model, { quantization: values.quantization as ModelInfo["quantization"] });

interface Reading {
  /** Nats a token. */
  loss: number;
  /** The most likely token at each place. */
  choices: number[];
}

async function read(model: StepModel): Promise<Reading> {
  const { vocabularySize } = model.architecture;
  const choices: number[] = [];
  let loss = 0;
  for (let group = 0; group < groups; group++) {
    const { inputs, targets } = chunks.batch(group * rows, rows, chunkLength);
    const cache = model.createCache();
    cache.reserve(rows, chunkLength);
    const slots = Array.from({ length: rows }, (_, row) => row);
    for (let start = 0; start < chunkLength; start++) {
      const at = (row: number) => row * chunkLength + start;
      const step = slots.map((row) => ({ tokens: [Number(inputs[at(row)])], start, adapter: null }));
      const logits = await model.step(cache, 0, step, slots);
      for (const row of slots) {
        const own = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
        const largest = own.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
        const normalizer = largest + Math.log(own.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
        loss += normalizer - (own[Number(targets[at(row)])] as number);
        choices.push(own.indexOf(largest));
      }
    }
  }
  return { loss: loss / (groups * rows * chunkLength), choices };
}

/** Milliseconds of a decoding step in each precision by turns, so that a busy moment meets all of them. */
async function timeSteps(models: readonly StepModel[], batch: number, context: number): Promise<number[]> {
  const places = Array.from({ length: batch }, (_, row) => row);
  const caches = models.map((model) => model.createCache());
  for (const cache of caches) cache.reserve(batch, context + 1);
  const times = models.map((): number[] => []);
  for (let round = 0; round < 100; round++) {
    for (const [index, model] of models.entries()) {
      const step = places.map((row) => ({ tokens: [7 + row], start: context, adapter: null }));
      const began = performance.now();
      await model.step(caches[index] as ReturnType<StepModel["createCache"]>, 0, step, places);
      times[index]?.push(performance.now() - began);
    }
  }
  return times.map((taken) => taken.sort((a, b) => a - b)[taken.length >> 1] as number);
}

const models: StepModel[] = [];
for (const kvCache of kvPrecisions) {
  models.push(await StepModel.create(base, { threads: Number(values.threads), kvCache }));
}
let reference: Reading | null = null;
process.stdout.write("precision  bytes a token  perplexity (change)  same choice\n");
for (const [index, model] of models.entries()) {
  const reading = await read(model);
  reference ??= reading;
  const { loss, choices } = reference;
  const change = 100 * (Math.exp(reading.loss - loss) - 1);
  const same = reading.choices.filter((choice, at) => choice === choices[at]).length / choices.length;
  const perplexity = `${Math.exp(reading.loss).toFixed(3)} (${change.toFixed(3)}%)`;
  const bytes = model.createCache().savedBytes(1);
  process.stdout.write(`${[kvPrecisions[index], bytes, perplexity, `${(100 * same).toFixed(2)}%`].join("  ")}\n`);
}
for (const batch of [1, 8]) {
  const context = Math.min(448, base.architecture.contextLength - 64);
  const [single = 0, ...others] = await timeSteps(models, batch, context);
  const ratios = others.map((time, at) => `${kvPrecisions[at + 1]} ${(time / single).toFixed(2)}`);
  process.stdout.write(
    `${batch} rows of ${context} tokens: fp32 ${single.toFixed(2)} ms; times that: ${ratios.join(", ")}\n`,
  );
}
for (const model of models) await model.dispose();
