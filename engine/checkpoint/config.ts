/** config.json of a Hugging Face checkpoint folder, refused by name where it asks for what is not built. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { type LlamaConfig, llama } from "../architectures/llama.ts";
import { CheckpointError } from "../types.ts";

function llamaConfig(path: string, config: Record<string, unknown>): LlamaConfig {
  const size = (key: string, fallback?: number): number => {
    const value = config[key] ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      throw new CheckpointError(`${path}: ${key} must be a positive whole number, not ${JSON.stringify(config[key])}`);
    }
    return value;
  };
  const real = (key: string, fallback: number): number => {
    const value = config[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0)) {
      throw new CheckpointError(`${path}: ${key} must be a positive number, not ${JSON.stringify(config[key])}`);
    }
    return value;
  };
  const must = (key: string, wanted: unknown, fallback: unknown = wanted) => {
    const value = config[key] ?? fallback;
    if (value !== wanted) throw new CheckpointError(`${path}: ${key} = ${JSON.stringify(value)} is not supported`);
  };
  must("hidden_act", "silu");
  must("attention_bias", false);
  must("mlp_bias", false);
  if (config.rope_scaling != null) must("rope_scaling", null);
  // Newer transformers write rope_parameters instead of rope_theta.
  const rope = (config.rope_parameters ?? {}) as Record<string, unknown>;
  if ((rope.rope_type ?? "default") !== "default") {
    throw new CheckpointError(`${path}: rope_type = ${JSON.stringify(rope.rope_type)} is not supported`);
  }
  if (typeof rope.rope_theta === "number" && config.rope_theta === undefined) config.rope_theta = rope.rope_theta;

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
    ropeTheta: real("rope_theta", 10_000),
    tiedEmbeddings: config.tie_word_embeddings === true,
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
