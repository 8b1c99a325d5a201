/** Adapter folders in Hugging Face PEFT's format: adapter_config.json and adapter_model.safetensors. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { allFinite } from "../checkpoint/finite.ts";
import { encodeSafetensors, openSafetensors, readTensor } from "../checkpoint/safetensors.ts";
import { atOnce } from "../in-slices.ts";
import { CheckpointError } from "../types.ts";
import { type LoraAdapter, type LoraMatrices, type LoraShape, targetedModules } from "./adapter.ts";

const prefix = "base_model.model.";

function tensorName(module: string, matrix: "a" | "b"): string {
  return `${prefix}${module}.lora_${matrix.toUpperCase()}.weight`;
}

/**
 * Settings that change what an adapter computes or which tensors it has, none of which is built here. Not among them:
 * `fan_in_fan_out`, which PEFT sets by the kind of layer whatever the file says, and which leaves A and B as they are.
 */
const unsupported = [
  "alora_invocation_tokens",
  "alpha_pattern",
  "arrow_config",
  "exclude_modules",
  "kasa_config",
  "layer_replication",
  "layers_to_transform",
  "lora_bias",
  "modules_to_save",
  "monteclora_config",
  "rank_pattern",
  "target_parameters",
  "trainable_token_indices",
  "use_bdlora",
  "use_dora",
  "use_qalora",
] as const;

/** Not set: PEFT writes null, false or an empty list or table. */
function isUnset(value: unknown): boolean {
  return value == null || value === false || (typeof value === "object" && Object.keys(value).length === 0);
}

function readShape(path: string): LoraShape {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read as JSON`, { cause });
  }
  if (typeof parsed !== "object" || parsed === null) throw new CheckpointError(`${path}: is not a JSON object`);
  const config = parsed as Record<string, unknown>;
  const refuse = (key: string): never => {
    throw new CheckpointError(`${path}: ${key} = ${JSON.stringify(config[key])} is not supported`);
  };
  if (config.peft_type !== "LORA") refuse("peft_type");
  if (config.bias !== undefined && config.bias !== "none") refuse("bias");
  for (const key of unsupported) if (!isUnset(config[key])) refuse(key);
  const { r: rank, lora_alpha: alpha, target_modules: modules, use_rslora: rankStabilized = false } = config;
  if (typeof rank !== "number" || !Number.isInteger(rank) || rank < 1) return refuse("r");
  if (typeof alpha !== "number" || !(alpha > 0)) return refuse("lora_alpha");
  if (!Array.isArray(modules) || !modules.every((name) => typeof name === "string")) return refuse("target_modules");
  if (typeof rankStabilized !== "boolean") return refuse("use_rslora");
  return { rank, alpha, targetModules: modules, rankStabilized };
}

/** @throws CheckpointError naming the file, and the tensor that is missing, superfluous or of another shape */
export function readPeftAdapter(folder: string, architecture: Architecture): LoraAdapter {
  return atOnce(readingPeftAdapter(folder, architecture));
}

/** The same in pieces: yields after each layer. */
export function* readingPeftAdapter(folder: string, architecture: Architecture): Generator<undefined, LoraAdapter> {
  const shape = readShape(join(folder, "adapter_config.json"));
  const path = join(folder, "adapter_model.safetensors");
  const file = openSafetensors(path);
  const modules = targetedModules(architecture, shape);
  for (const target of shape.targetModules) {
    if (!modules.some(({ name }) => name.endsWith(`.${target}`))) {
      throw new CheckpointError(`${folder}: target module ${target} is no linear layer of ${architecture.name}`);
    }
  }
  const read = (module: string, matrix: "a" | "b", wanted: readonly number[]): Float32Array => {
    const name = tensorName(module, matrix);
    const stored = file.tensors.get(name);
    if (stored === undefined) throw new CheckpointError(`${path}: tensor ${name} is missing`);
    if (stored.shape.join() !== wanted.join()) {
      throw new CheckpointError(
        `${path}: tensor ${name} has shape [${stored.shape.join(", ")}], this model needs [${wanted.join(", ")}]`,
      );
    }
    const data = readTensor(file, name);
    if (!allFinite(data)) throw new CheckpointError(`${path}: tensor ${name} holds NaN or infinity`);
    return data;
  };
  const matrices = new Map<string, LoraMatrices>();
  for (const { name, inputSize, outputSize } of modules) {
    const a = read(name, "a", [shape.rank, inputSize]);
    matrices.set(name, { a, b: read(name, "b", [outputSize, shape.rank]) });
    yield;
  }
  const expected = new Set(modules.flatMap(({ name }) => [tensorName(name, "a"), tensorName(name, "b")]));
  const extra = [...file.tensors.keys()].find((name) => !expected.has(name));
  if (extra !== undefined) throw new CheckpointError(`${path}: tensor ${extra} fits no target module of this model`);
  return { shape, matrices };
}

/** Writes the folder and returns the sha256 of its weights file. */
export function writePeftAdapter(folder: string, adapter: LoraAdapter, baseModel: string): string {
  const { rank, alpha, targetModules, rankStabilized } = adapter.shape;
  const tensors = new Map<string, { data: Float32Array; shape: readonly number[] }>();
  for (const [module, { a, b }] of adapter.matrices) {
    tensors.set(tensorName(module, "a"), { data: a, shape: [rank, a.length / rank] });
    tensors.set(tensorName(module, "b"), { data: b, shape: [b.length / rank, rank] });
  }
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: baseModel,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    target_modules: targetModules,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    use_rslora: rankStabilized,
    use_dora: false,
  };
  mkdirSync(folder, { recursive: true });
  const bytes = encodeSafetensors(tensors, "F32");
  writeFileSync(join(folder, "adapter_config.json"), `${JSON.stringify(config, null, 2)}\n`);
  writeFileSync(join(folder, "adapter_model.safetensors"), bytes);
  return createHash("sha256").update(bytes).digest("hex");
}
