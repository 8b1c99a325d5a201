/** Test support: tiny checkpoints of random weights with the embedded model's tokenizer, and adapters for them. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { readArchitecture } from "../checkpoint/config.ts";
import { encodeSafetensors } from "../checkpoint/safetensors.ts";
import { freshAdapter } from "../lora/adapter.ts";
import { writePeftAdapter } from "../lora/peft.ts";
import { randomStream } from "./random.ts";

const embeddedModel = join(import.meta.dirname, "../../models/rejoinder-tiny");

/** Tokens of the embedded model's tokenizer. */
const vocabularySize = 8192;
/** The first of them are control tokens; this one ends a turn. */
const controlTokens = 4;
const endOfTurn = 3;

const llamaConfig = {
  architectures: ["LlamaForCausalLM"],
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
};

export interface RandomCheckpointOptions {
  /** config.json without the vocabulary's entries; embeddings are not tied unless it says so. Default: a Llama's. */
  config?: Readonly<Record<string, unknown>>;
  /** Whether tokenizer_config.json keeps its chat template. Default true. */
  chatTemplate?: boolean;
}

export interface RandomCheckpoint {
  folder: string;
  architecture: Architecture;
  /** Writes another random adapter for Llama's modules and returns its folder. */
  addAdapter(seed: number, rank: number): string;
  remove(): void;
}

/** Names of the head's weight where it is not tied to the embeddings. */
const heads = ["lm_head.weight", "embed_out.weight"];

export function randomCheckpoint({
  config = llamaConfig,
  chatTemplate = true,
}: RandomCheckpointOptions = {}): RandomCheckpoint {
  const folder = mkdtempSync(join(tmpdir(), "random-checkpoint-"));
  cpSync(join(embeddedModel, "tokenizer.json"), join(folder, "tokenizer.json"));
  const { chat_template, ...tokenizerConfig } = JSON.parse(
    readFileSync(join(embeddedModel, "tokenizer_config.json"), "utf8"),
  ) as Record<string, unknown>;
  writeFileSync(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({ ...tokenizerConfig, ...(chatTemplate && { chat_template }) }),
  );
  const vocabulary = { vocab_size: vocabularySize, eos_token_id: endOfTurn };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ tie_word_embeddings: false, ...config, ...vocabulary }));
  const architecture = readArchitecture(folder);
  const random = randomStream(1);
  const tensors = [...architecture.parameters].map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const isGain = shape.length === 1 && !name.endsWith(".bias");
    for (let i = 0; i < data.length; i++) data[i] = isGain ? 0.5 + random() : random() - 0.5;
    // The end of a turn stays unlikely, so that replies are long enough to look at.
    if (heads.includes(name)) data.fill(0, 0, controlTokens * architecture.hiddenSize);
    return [name, { data, shape }] as const;
  });
  writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(new Map(tensors), "F32"));
  return {
    folder,
    architecture,
    addAdapter(seed, rank) {
      const draw = randomStream(seed);
      const targetModules = ["q_proj", "v_proj", "o_proj", "down_proj"];
      const adapter = freshAdapter(architecture, { rank, alpha: 2 * rank, targetModules, rankStabilized: false }, draw);
      for (const { b } of adapter.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = draw() - 0.5;
      const path = join(folder, `adapter-${seed}`);
      writePeftAdapter(path, adapter, "random");
      return path;
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
