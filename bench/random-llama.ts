/**
 * A checkpoint of random weights in a given shape, for speed: what the weights say does not matter to it. Every matrix
 * repeats the same few rows, because a billion draws, and quantizing them, would take longer than what is measured.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { readArchitecture } from "../engine/checkpoint/config.ts";
import { encodeBfloat16 } from "../engine/checkpoint/float16.ts";
import { safetensorsHeader } from "../engine/checkpoint/safetensors.ts";
import { randomStream } from "../engine/generation/random.ts";

/** TinyLlama's sizes (1.1 billion weights), with room for 4,096 tokens. */
const tinyLlamaShape = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 32_000,
  hidden_size: 2048,
  intermediate_size: 5632,
  num_hidden_layers: 22,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: 2,
};

/** Rows after which a matrix repeats; every row count of the shape is a multiple. */
export const period = 64;
/** Keeps activations of the size they have in trained models. */
const largestWeight = 0.035;

const drawn = new Map<number, Float32Array>();

/** [period, width], the same array each time; norm weights, which are no matrices, are ones. */
export function repeatedRows(shape: readonly number[]): Float32Array {
  const width = shape.at(-1) ?? 1;
  if (shape.length === 1) return new Float32Array(width).fill(1);
  const random = randomStream(width);
  const rows =
    drawn.get(width) ?? Float32Array.from({ length: period * width }, () => largestWeight * (2 * random() - 1));
  drawn.set(width, rows);
  return rows;
}

/** Writes config.json and model.safetensors in bfloat16. */
export function writeRandomLlama(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(tinyLlamaShape));
  const { parameters } = readArchitecture(folder);
  const descriptor = openSync(join(folder, "model.safetensors"), "w");
  const encoded = new Map<Float32Array, Uint16Array>();
  try {
    const types = [...parameters].map(([name, shape]) => [name, { type: "BF16" as const, shape }] as const);
    writeSync(descriptor, safetensorsHeader(new Map(types), { format: "pt" }));
    for (const shape of parameters.values()) {
      const rows = repeatedRows(shape);
      const block = encoded.get(rows) ?? encodeBfloat16(rows);
      encoded.set(rows, block);
      const size = shape.reduce((product, dim) => product * dim, 1);
      for (let done = 0; done < size; done += block.length) writeSync(descriptor, block);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The same weights piece by piece, as `convertToGguf` takes them. */
export function* randomLlamaRows(_name: string, shape: readonly number[]): Generator<Float32Array> {
  const rows = repeatedRows(shape);
  const size = shape.reduce((product, dim) => product * dim, 1);
  for (let done = 0; done < size; done += rows.length) yield rows;
}
