/**
 * What quantization costs and gains: held-out perplexity, resident memory, load time and decoding speed in each
 * precision, for docs/decisions/2026-11-24-quantization.md.
 *
 *     node scripts/measure-quantization.ts --tokens heldout.bin [--model DIR] [--chunks 64] [--threads 1]
 *
 * The token file holds uint16 ids, as trainer/pretrain/prepare.ts writes them. Each precision has a process of its own,
 * so that its memory is its own.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { scoringExpressions } from "../engine/architectures/scoring-graph.ts";
import type { BaseModel } from "../engine/checkpoint/base-model.ts";
import { KvCache } from "../engine/generation/kv-cache.ts";
import { StepModel } from "../engine/generation/step-model.ts";
import { openBaseModel } from "../engine/open-base-model.ts";
import { createSession, floats } from "../engine/runtime/session.ts";
import type { ModelInfo } from "../engine/types.ts";
import { denseFeeds } from "../trainer/language-model-graph.ts";
import { chunkLength, TokenChunks } from "../trainer/pretrain/token-chunks.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(dirname(import.meta.dirname), "models", "rejoinder-tiny") },
    tokens: { type: "string" },
    chunks: { type: "string", default: "64" },
    threads: { type: "string", default: "1" },
    precision: { type: "string" },
  },
});
const threads = Number(values.threads);
const precisions: readonly ModelInfo["quantization"][] = ["none", "int8", "int4"];
const decodedTokens = 200;

/** MiB of this process that lie in memory and in no file. */
function anonymousMemory(): number {
  const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return Number(kilobytes) / 1024;
}

async function meanLoss(model: BaseModel, path: string, count: number): Promise<number> {
  const { logProbs } = scoringExpressions(model.architecture, model.frozen());
  const session = await createSession({ logProbs }, { threads, ...model.source });
  const chunks = new TokenChunks(path, 1);
  const read = Math.min(count, chunks.chunks);
  let sum = 0;
  for (let chunk = 0; chunk < read; chunk++) {
    const { rows, inputs, targets } = chunks.batch(chunk, 1, chunkLength);
    const { targetWeights: _, ...feeds } = denseFeeds(rows, chunkLength, inputs, targets);
    for (const logProb of floats((await session.run(feeds)).logProbs)) sum -= logProb;
  }
  await session.dispose();
  return sum / (read * chunkLength);
}

/** Tokens a second of a decoding batch, from the median step. */
async function decodingSpeed(model: StepModel, batch: number): Promise<number> {
  const cache = new KvCache(model.architecture);
  cache.reserve(batch, decodedTokens);
  const places = Array.from({ length: batch }, (_, row) => row);
  const times: number[] = [];
  for (let start = 0; start < decodedTokens; start++) {
    const rows = places.map((row) => ({ tokens: [(7 * start + row) % 97], start, adapter: null }));
    const began = performance.now();
    await model.step(cache, 0, rows, places);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return (1000 * batch) / (times[decodedTokens >> 1] as number);
}

/** Measures one precision in this process and prints a JSON object. */
async function measure(quantization: ModelInfo["quantization"]): Promise<void> {
  // Made before the clock starts.
  await openBaseModel(values.model, { quantization });
  global.gc?.();
  const before = anonymousMemory();
  const began = performance.now();
  let base: BaseModel | null = await openBaseModel(values.model, { quantization });
  const step = await StepModel.create(base, { threads });
  const loadMs = performance.now() - began;
  base = null;
  global.gc?.();
  const memory = anonymousMemory() - before;
  const tokensPerSecond = { 1: await decodingSpeed(step, 1), 8: await decodingSpeed(step, 8) };
  await step.dispose();
  const loss =
    values.tokens === undefined
      ? null
      : await meanLoss(await openBaseModel(values.model, { quantization }), values.tokens, Number(values.chunks));
  process.stdout.write(JSON.stringify({ quantization, loadMs, memory, tokensPerSecond, loss }));
}

if (values.precision === undefined) {
  let reference: number | null = null;
  process.stdout.write("precision  load ms  MiB  tokens/s x1  tokens/s x8  perplexity\n");
  for (const precision of precisions) {
    const args = ["--expose-gc", import.meta.filename, ...process.argv.slice(2), "--precision", precision];
    const child = spawnSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    if (child.status !== 0) throw new Error(`measuring ${precision} ended with exit code ${child.status}`);
    const { loadMs, memory, tokensPerSecond, loss } = JSON.parse(child.stdout);
    reference ??= loss;
    const change = reference === null ? 0 : 100 * (Math.exp(loss - reference) - 1);
    const perplexity = loss === null ? "-" : `${Math.exp(loss).toFixed(3)} (${change.toFixed(2)}%)`;
    const cells = [loadMs, memory, tokensPerSecond[1], tokensPerSecond[8]].map((value) => Number(value).toFixed(0));
    process.stdout.write(`${[precision, ...cells, perplexity].join("  ")}\n`);
  }
} else {
  await measure(values.precision as ModelInfo["quantization"]);
}
