/**
 * Test support: what this engine makes of the tiny checkpoints that transformers and PEFT were asked about, folders under
 * test/fixtures/architectures made by scripts/fixtures/tiny-decoders.py.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { type Checkpoint, readCheckpoint } from "../checkpoint/checkpoint.ts";
import { openSafetensors, readTensor } from "../checkpoint/safetensors.ts";
import { flattenAdapter } from "../generation/adapter-stack.ts";
import { KvCache } from "../generation/kv-cache.ts";
import type { StepModel } from "../generation/step-model.ts";
import { gradients } from "../graph/autodiff.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { LoraAdapter } from "../lora/adapter.ts";
import { loraFeeds, trainableLora } from "../lora/lora-context.ts";
import { readPeftAdapter } from "../lora/peft.ts";
import { createSession, type Feeds, floats } from "../runtime/session.ts";
import { scoringExpressions } from "./scoring-graph.ts";
import { meanLoss, relativeDifference, scoringFeeds, type TinyReference } from "./tiny-llama-fixture.ts";

/** What transformers said about a batch. */
export interface RecordedLogits {
  checkpoint: Checkpoint;
  reference: Pick<TinyReference, "tokens" | "labels">;
  /** Of `tokens`, without an adapter [batch * time * vocabulary]. */
  logits: Float32Array;
}

/** What PEFT said about the same batch. */
export interface RecordedGradients {
  reference: Pick<TinyReference, "tokens" | "labels">;
  adapted: {
    /** On every linear layer. */
    adapter: LoraAdapter;
    /** PyTorch's, of the loss with the adapter, by the names that PEFT gives the matrices. */
    gradients: ReadonlyMap<string, Float32Array>;
  };
}

interface Reference extends Pick<TinyReference, "tokens" | "labels"> {
  /** The beginnings of two sequences, of different length. */
  prompts: [number[], number[]];
  /** What follows each prompt when the likeliest token is taken each time. */
  greedy: [number[], number[]];
  /** Of the model with the adapter: mean loss over the counted tokens (nats), what follows the first prompt. */
  adapted: { loss: number; greedy: number[] };
}

export interface ParityFixture extends RecordedLogits, RecordedGradients {
  name: string;
  reference: Reference;
}

export const parityFolder = join(import.meta.dirname, "../../test/fixtures/architectures");

export function openParityFixture(name: string): ParityFixture {
  const folder = join(parityFolder, name);
  const checkpoint = readCheckpoint(folder);
  const file = openSafetensors(join(folder, "reference.safetensors"));
  const loraNames = [...file.tensors.keys()].filter((tensor) => tensor !== "logits");
  return {
    name,
    checkpoint,
    reference: JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as Reference,
    logits: readTensor(file, "logits"),
    adapted: {
      adapter: readPeftAdapter(join(folder, "adapter"), checkpoint.architecture),
      gradients: new Map(loraNames.map((tensor) => [tensor, readTensor(file, tensor)])),
    },
  };
}

function largestDifference(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
}

/** Logits of the scoring graph at every place of the batch [batch * time * vocabulary]. */
export async function scoredLogits(
  model: BaseModel,
  rows: readonly (readonly number[])[],
  adapter?: LoraAdapter,
): Promise<Float32Array> {
  const { architecture, source } = model;
  const adapt = adapter && trainableLora(architecture, adapter.shape).adapt;
  const { logits } = scoringExpressions(architecture, { ...model.frozen(), adapt });
  const session = await createSession({ logits }, { threads: 1, ...source });
  const { targets: _, ...feeds } = scoringFeeds(rows);
  const places = BigInt64Array.from(rows.flat(), (_token, place) => BigInt(place));
  const matrices = adapter && loraFeeds(architecture, adapter);
  const result = await session.run({ ...feeds, ...matrices, places: { data: places, shape: [places.length] } });
  await session.dispose();
  return floats(result.logits);
}

/** Largest difference between the scoring graph's logits and those of transformers. */
export async function worstLogit({ checkpoint, reference, logits }: RecordedLogits): Promise<number> {
  return largestDifference(await scoredLogits(checkpoint, reference.tokens), logits);
}

/** What the scoring graph finds likeliest behind each token of the first prompt and its continuation by transformers. */
export async function scoredContinuation(fixture: ParityFixture): Promise<number[]> {
  const { prompts, greedy } = fixture.reference;
  const vocabulary = fixture.checkpoint.architecture.vocabularySize;
  const logits = await scoredLogits(fixture.checkpoint, [[...prompts[0], ...greedy[0]]]);
  return greedy[0].map((_, i) => {
    const row = logits.subarray((prompts[0].length - 1 + i) * vocabulary).subarray(0, vocabulary);
    return row.indexOf(Math.max(...row));
  });
}

/** Loss with the adapter, and its gradients by the names that PEFT gives the matrices. */
export async function adaptedGradients(
  { reference, adapted }: RecordedGradients,
  model: BaseModel,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const { adapter } = adapted;
  const { architecture, source } = model;
  const lora = trainableLora(architecture, adapter.shape);
  const feeds = scoringFeeds(reference.tokens, reference.labels);
  const { logProbs } = scoringExpressions(architecture, { ...model.frozen(), adapt: lora.adapt });
  const loss = meanLoss(logProbs, feeds.targets?.data.length ?? 0);
  const wanted = lora.parameters.map(({ tensor }) => tensor);
  const outputs = Object.fromEntries(gradients(loss, wanted).map((g, i): [string, Tensor] => [`d${i}`, g]));
  const session = await createSession<string>({ loss, ...outputs }, { threads: 1, ...source });
  const result = await session.run({ ...feeds, ...loraFeeds(architecture, adapter) });
  await session.dispose();
  const found = lora.parameters.map(({ module, matrix }, index) => {
    const name = `base_model.model.${module}.lora_${matrix.toUpperCase()}.weight`;
    return [name, floats(result[`d${index}`] as Feeds[string])] as const;
  });
  return { loss: floats(result.loss as Feeds[string])[0] ?? Number.NaN, gradients: new Map(found) };
}

/** Loss with the adapter, and the largest relative difference of a LoRA matrix's gradient from PEFT's. */
export async function adaptedLoss(
  fixture: RecordedGradients & { checkpoint: Checkpoint },
): Promise<{ loss: number; worstGradient: number }> {
  const expected = fixture.adapted.gradients;
  const { loss, gradients: found } = await adaptedGradients(fixture, fixture.checkpoint);
  const differences = [...found].map(([name, values]) =>
    relativeDifference(values, expected.get(name) ?? new Float32Array(0)),
  );
  const complete = expected.size === differences.length;
  return { loss, worstGradient: complete ? Math.max(...differences) : Number.POSITIVE_INFINITY };
}

/** Tokens of a prompt read at once, fewer than the prompts and the fixtures' windows have. */
const chunk = 4;

/**
 * Greedy continuations by the step graph: prompts are read in chunks, then both rows and the first with the adapter
 * decode in one batch.
 */
export async function steppedContinuations(
  { checkpoint, adapted: { adapter }, reference }: ParityFixture,
  model: StepModel,
): Promise<{ greedy: number[][]; adapted: number[] }> {
  const { architecture } = checkpoint;
  const matrices = flattenAdapter(adapter, architecture.linearModules);
  const stacked = await model.stack({ sha256: "parity", rank: adapter.shape.rank, matrices });
  const [first, second] = reference.prompts;
  const sequences = [
    { tokens: [...first], adapter: null },
    { tokens: [...second], adapter: null },
    { tokens: [...first], adapter: stacked },
  ];
  const cache = new KvCache(architecture);
  cache.reserve(sequences.length, first.length + reference.greedy[0].length);
  for (const [slot, { tokens, adapter: own }] of sequences.entries()) {
    for (let start = 0; start < tokens.length - 1; start += chunk) {
      const piece = tokens.slice(start, Math.min(start + chunk, tokens.length - 1));
      await model.step(cache, slot, [{ tokens: piece, start, adapter: own }], []);
    }
  }
  const vocabulary = architecture.vocabularySize;
  const places = sequences.map((_, row) => row);
  for (let step = 0; step < reference.greedy[0].length; step++) {
    const rows = sequences.map(({ tokens, adapter: own }) => {
      return { tokens: tokens.slice(-1), start: tokens.length - 1, adapter: own };
    });
    const logits = await model.step(cache, 0, rows, places);
    for (const [row, { tokens }] of sequences.entries()) {
      const own = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      tokens.push(own.indexOf(Math.max(...own)));
    }
  }
  const [one, two, three] = sequences.map(({ tokens }) => tokens.slice(-reference.greedy[0].length));
  return { greedy: [one ?? [], two ?? []], adapted: three ?? [] };
}
