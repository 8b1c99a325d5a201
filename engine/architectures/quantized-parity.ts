/**
 * Test support: how far a checkpoint in fewer bits is from what transformers and PEFT made of it in float32, and its
 * step graph from its own scoring graph.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { flattenAdapter, type StackedAdapter } from "../generation/adapter-stack.ts";
import { KvCache } from "../generation/kv-cache.ts";
import { StepModel } from "../generation/step-model.ts";
import * as ops from "../graph/ops.ts";
import { readPeftAdapter } from "../lora/peft.ts";
import { openBaseModel } from "../open-base-model.ts";
import { type Precision, precisionOf, scalesName, valuesName, weightName } from "../quantization/layout.ts";
import type { LinearModule } from "./architecture.ts";
import { type RecordedGradients, type RecordedLogits, scoredLogits } from "./parity.ts";
import { tinyCheckpoint, tinyGradients, tinyLlamaFolder, tinyReference } from "./tiny-llama-fixture.ts";

/** What was recorded of a base model, and of adapters on it if any was. */
export interface RecordedBase extends RecordedLogits {
  adapted?: RecordedGradients["adapted"];
}

/** The tiny Llamas, which were recorded in another form than the fixtures of parity.ts. */
export function openTinyLlama(name: "tied" | "untied/lora" | "untied/rslora"): RecordedBase {
  const base = name === "tied" ? name : "untied";
  const checkpoint = tinyCheckpoint(base);
  const reference = tinyReference(base);
  const recorded = { checkpoint, reference, logits: Float32Array.from(reference.logits) };
  if (name === "tied") return recorded;
  const folder = join(tinyLlamaFolder, name);
  const adapter = readPeftAdapter(folder, checkpoint.architecture);
  return { ...recorded, adapted: { adapter, gradients: tinyGradients(name) } };
}

/** Opens a temporary copy of the checkpoint: quantized weights are kept beside their source. */
export async function openCopy(folder: string, quantization: Precision): Promise<{ model: BaseModel; remove(): void }> {
  const copy = mkdtempSync(join(tmpdir(), "parity-"));
  for (const name of ["config.json", "model.safetensors"]) cpSync(join(folder, name), join(copy, name));
  return { model: await openBaseModel(copy, { quantization }), remove: () => rmSync(copy, { recursive: true }) };
}

/** |found - expected| / |expected|, both as vectors. */
export function relativeRms(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  const squares = (values: Float32Array) => values.reduce((sum, value) => sum + value ** 2, 0);
  return Math.sqrt(squares(found.map((value, i) => value - (expected[i] as number))) / squares(expected));
}

/** Cosine between two gradients of all LoRA matrices, each as one vector; NaN where their matrices differ. */
export function gradientCosine(
  gradients: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): number {
  if (gradients.size !== expected.size) return Number.NaN;
  const sums = { dot: 0, found: 0, expected: 0 };
  for (const [name, values] of gradients) {
    const recorded = expected.get(name);
    if (recorded?.length !== values.length) return Number.NaN;
    for (const [i, value] of values.entries()) {
      const other = recorded[i] as number;
      sums.dot += value * other;
      sums.found += value ** 2;
      sums.expected += other ** 2;
    }
  }
  return sums.dot / Math.sqrt(sums.found * sums.expected);
}

/** Bytes of a stored tensor, aligned. */
function storedBytes({ source }: BaseModel, name: string): Uint8Array {
  const { file, offset, length } = source.locate(name);
  return new Uint8Array(readFileSync(join(source.folder ?? "", file)).subarray(offset, offset + length));
}

/** W^T [input, output] that the stored levels and scales of a linear layer stand for. */
function dequantized(model: BaseModel, module: LinearModule, precision: Precision): Float32Array {
  const { inputSize, outputSize } = module;
  const levels = storedBytes(model, valuesName(weightName(module)));
  const scales = new Float32Array(storedBytes(model, scalesName(weightName(module))).buffer);
  const blocks = Math.ceil(inputSize / 32);
  return Float32Array.from({ length: inputSize * outputSize }, (_, at) => {
    const [input, output] = [Math.floor(at / outputSize), at % outputSize];
    if (precision === "int8") return ((levels[at] as number) - 128) * (scales[output] as number);
    const place = 32 * output * blocks + input;
    const level = ((levels[place >> 1] as number) >> (4 * (place & 1))) & 15;
    return (level - 8) * (scales[output * blocks + (input >> 5)] as number);
  });
}

/** The same weights, rounded as they are, multiplied in float32: what is left out is the rounding of activations. */
export function inFloat32(model: BaseModel, precision: Precision): BaseModel {
  const frozen = model.frozen();
  return {
    ...model,
    frozen: () => ({
      ...frozen,
      project(module, x) {
        const weights = dequantized(model, module, precisionOf(model.architecture, module, precision));
        return ops.matmul(x, ops.constant(weights, [module.inputSize, module.outputSize]));
      },
    }),
  };
}

/** Tokens read at once in the first half of a text; the second half is decoded token by token. */
const chunk = 4;

/**
 * Relative RMS difference of the step graph's logits from the scoring graph's, both of `model`: of the whole batch
 * without an adapter, for which `plain` are the scoring graph's, and, where there is one, of the same batch with it, decoded side by side.
 */
export async function steppedDifference(
  { reference: { tokens }, adapted }: RecordedBase,
  model: BaseModel,
  plain: Float32Array,
): Promise<number> {
  const { architecture } = model;
  const withAdapter = adapted ? await scoredLogits(model, tokens, adapted.adapter) : new Float32Array(0);
  const expected = Float32Array.from([...plain, ...withAdapter]);
  const steps = await StepModel.create(model, { threads: 1 });
  const adapters: (StackedAdapter | null)[] = [null];
  if (adapted) {
    const matrices = flattenAdapter(adapted.adapter, architecture.linearModules);
    adapters.push(await steps.stack({ sha256: "parity", rank: adapted.adapter.shape.rank, matrices }));
  }
  const rows = adapters.flatMap((adapter) => tokens.map((row) => ({ row, adapter })));
  const time = tokens[0]?.length ?? 0;
  const vocabulary = architecture.vocabularySize;
  const found = new Float32Array(expected.length);
  const cache = new KvCache(architecture);
  cache.reserve(rows.length, time);
  for (let start = 0, width = 0; start < time; start += width) {
    width = start < time / 2 ? Math.min(chunk, time - start) : 1;
    const pieces = rows.map(({ row, adapter }) => ({ tokens: row.slice(start, start + width), start, adapter }));
    const places = Array.from({ length: rows.length * width }, (_, place) => place);
    const logits = await steps.step(cache, 0, pieces, places);
    for (let row = 0; row < rows.length; row++) {
      const piece = logits.subarray(row * width * vocabulary, (row + 1) * width * vocabulary);
      found.set(piece, (row * time + start) * vocabulary);
    }
  }
  await steps.dispose();
  return relativeRms(found, expected);
}
