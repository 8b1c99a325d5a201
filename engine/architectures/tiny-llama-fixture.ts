/** Test support: the tiny checkpoints that Hugging Face transformers and PEFT were asked about. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Checkpoint, readCheckpoint } from "../checkpoint/checkpoint.ts";
import { openSafetensors, readTensor } from "../checkpoint/safetensors.ts";
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Feeds } from "../runtime/session.ts";

export const tinyLlamaFolder = join(import.meta.dirname, "../../test/fixtures/tiny-llama");

export type TinyLlama = "tied" | "untied" | "untied/lora" | "untied/rslora";

export interface TinyReference {
  /** [batch, time]. */
  tokens: number[][];
  /** The tokens, -100 where the loss does not count them. */
  labels: number[][];
  /** [batch, time, vocabulary], row-major. */
  logits: number[];
  /** Mean over the counted tokens, nats. */
  loss: number;
  prompt: number[];
  /** What follows the prompt when the likeliest token is taken each time. */
  greedy: number[];
}

export function tinyCheckpoint(name: "tied" | "untied"): Checkpoint {
  return readCheckpoint(join(tinyLlamaFolder, name));
}

export function tinyReference(name: TinyLlama): TinyReference {
  return JSON.parse(readFileSync(join(tinyLlamaFolder, name, "reference.json"), "utf8")) as TinyReference;
}

/** PyTorch's gradients by parameter name. */
export function tinyGradients(name: TinyLlama): Map<string, Float32Array> {
  const file = openSafetensors(join(tinyLlamaFolder, name, "gradients.safetensors"));
  return new Map([...file.tensors.keys()].map((tensor) => [tensor, readTensor(file, tensor)]));
}

/** Feeds of a scoring graph for whole rows; every token but the first of a row is a target unless its label says no. */
export function scoringFeeds(rows: readonly (readonly number[])[], labels = rows): Feeds {
  const time = rows[0]?.length ?? 0;
  const counted = labels.flatMap((row, r) =>
    row.flatMap((label, t) => (t === 0 || label === -100 ? [] : [{ place: r * time + t - 1, label }])),
  );
  const ints = (values: readonly number[], shape: readonly number[]) => ({
    data: BigInt64Array.from(values, BigInt),
    shape,
  });
  const hidden = Float32Array.from({ length: time * time }, (_, i) => (i % time > Math.floor(i / time) ? -10_000 : 0));
  return {
    tokens: ints(rows.flat(), [rows.length, time]),
    positions: ints(
      rows.flatMap((row) => row.map((_, t) => t)),
      [rows.length, time],
    ),
    attentionBias: { data: hidden, shape: [1, 1, time, time] },
    places: ints(
      counted.map(({ place }) => place),
      [counted.length],
    ),
    targets: ints(
      counted.map(({ label }) => label),
      [counted.length],
    ),
  };
}

/** The mean that transformers takes, of log-probs [targets]. */
export function meanLoss(logProbs: Tensor, targets: number): Tensor {
  return ops.scale(ops.sumAll(logProbs), -1 / targets);
}

/** Largest difference between two gradients, as a share of the largest value of the reference. */
export function relativeDifference(actual: Float32Array, reference: Float32Array): number {
  if (actual.length !== reference.length) return Number.POSITIVE_INFINITY;
  const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest(actual.map((value, i) => value - (reference[i] as number))) / largest(reference);
}
