/** config.json of a Hugging Face checkpoint folder, refused by name where it asks for what is not built. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { type LlamaConfig, llama } from "../architectures/llama.ts";
import { CheckpointError } from "../types.ts";

/** Far beyond any model, so that a damaged number is named here instead of exhausting memory later. */
const largestSize = 2 ** 22;
const limits: Readonly<Record<string, number>> = { num_hidden_layers: 1024 };

function llamaConfig(path: string, config: Record<string, unknown>): LlamaConfig {
  const size = (key: string, fallback?: number): number => {
    const value = config[key] ?? fallback;
    const most = limits[key] ?? largestSize;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
      throw new CheckpointError(
        `${path}: ${key} must be a whole number from 1 to ${most}, not ${JSON.stringify(value)}`,
      );
    }
    return value;
  };
  const real = (key: string, fallback: unknown): number => {
    const value = config[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0)) {
      throw new CheckpointError(`${path}: ${key} must be a positive number, not ${JSON.stringify(value)}`);
    }
    return value;
  };
  const must = (key: string, wanted: unknown, fallback: unknown = wanted) => {
    const value = config[key] ?? fallback;
    if (value !== wanted) throw new CheckpointError(`${path}: ${key} = ${JSON.stringify(value)} is not supported`);
  };
  const flag = (key: string): boolean => {
    const value = config[key] ?? false;
    if (typeof value !== "boolean") {
      throw new CheckpointError(`${path}: ${key} must be true or false, not ${JSON.stringify(value)}`);
    }
    return value;
  };
  must("hidden_act", "silu");
  must("attention_bias", false);
  must("mlp_bias", false);
  must("partial_rotary_factor", 1);
  if (config.rope_scaling != null) must("rope_scaling", null);
  if (config.quantization_config != null) must("quantization_config", null);
  // Newer transformers write rope_parameters instead of rope_theta.
  const rope = (config.rope_parameters ?? {}) as Record<string, unknown>;
  if ((rope.rope_type ?? "default") !== "default" || (rope.partial_rotary_factor ?? 1) !== 1) {
    throw new CheckpointError(`${path}: rope_parameters = ${JSON.stringify(rope)} is not supported`);
  }

  const hiddenSize = size("hidden_size");
  const heads = size("num_attention_heads");
  const keyValueHeads = size("num_key_value_heads", heads);
  if (heads % keyValueHeads !== 0) {
    throw new CheckpointError(`${path}: ${heads} attention heads cannot share ${keyValueHeads} key/value heads`);
  }
  if (config.head_dim == null && hiddenSize % heads !== 0) {
    throw new CheckpointError(`${path}: hidden_size ${hiddenSize} is no multiple of ${heads} attention heads`);
  }
  const headSize = size("head_dim", hiddenSize / heads);
  if (headSize % 2 !== 0) throw new CheckpointError(`${path}: head_dim ${headSize} must be even for rotary positions`);
  return {
    vocabularySize: size("vocab_size"),
    hiddenSize,
    intermediateSize: size("intermediate_size"),
    layers: size("num_hidden_layers"),
    heads,
    keyValueHeads,
    headSize,
    contextLength: size("max_position_embeddings", 2048),
    rmsNormEpsilon: real("rms_norm_eps", 1e-6),
    ropeTheta: real("rope_theta", rope.rope_theta ?? 10_000),
    tiedEmbeddings: flag("tie_word_embeddings"),
  };
}

/** @throws CheckpointError naming config.json and the entry that is missing, wrong or not supported */
export function readArchitecture(folder: string): Architecture {
  const path = join(folder, "config.json");
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read as JSON`, { cause });
  }
  if (typeof config !== "object" || config === null) throw new CheckpointError(`${path}: is not a JSON object`);
  const { architectures } = config as { architectures?: unknown };
  const name = Array.isArray(architectures) ? architectures[0] : undefined;
  if (name !== "LlamaForCausalLM") {
    throw new CheckpointError(`${path}: architectures names ${JSON.stringify(name)}; LlamaForCausalLM is supported`);
  }
  return llama(llamaConfig(path, config as Record<string, unknown>));
}
