/** Test support: a tiny checkpoint of random weights with the embedded model's tokenizer, and adapters for it. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { readArchitecture } from "../checkpoint/config.ts";
import { encodeSafetensors } from "../checkpoint/safetensors.ts";
import { freshAdapter } from "../lora/adapter.ts";
import { writePeftAdapter } from "../lora/peft.ts";
import { randomStream } from "./random.ts";

const embeddedModel = join(import.meta.dirname, "../../models/rejoinder-tiny");

const config = {
  architectures: ["LlamaForCausalLM"],
  vocab_size: 8192,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  eos_token_id: 3,
};

export interface RandomCheckpoint {
  folder: string;
  architecture: Architecture;
  /** Writes another random adapter and returns its folder. */
  addAdapter(seed: number, rank: number): string;
  remove(): void;
}

export function randomCheckpoint(): RandomCheckpoint {
  const folder = mkdtempSync(join(tmpdir(), "random-checkpoint-"));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(embeddedModel, name), join(folder, name));
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const architecture = readArchitecture(folder);
  const random = randomStream(1);
  const tensors = [...architecture.parameters].map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < data.length; i++) data[i] = shape.length === 1 ? 0.5 + random() : random() - 0.5;
    // The end of a turn stays unlikely, so that replies are long enough to look at.
    if (name === "lm_head.weight") data.fill(0, 0, 4 * config.hidden_size);
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
