/** A tiny random Llama on disk for the tests of this folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readArchitecture } from "../engine/checkpoint/config.ts";
import { encodeSafetensors } from "../engine/checkpoint/safetensors.ts";
import { seededRandom } from "./pretrain/shuffle.ts";

export const sampleModelSize = { vocabulary: 24, hidden: 16, context: 48 };

/** Writes config.json and model.safetensors; every matrix uniform with variance 1 / inputs. */
export function writeSampleModel(folder: string, vocabulary = sampleModelSize.vocabulary): void {
  mkdirSync(folder, { recursive: true });
  const config = {
    architectures: ["LlamaForCausalLM"],
    vocab_size: vocabulary,
    hidden_size: sampleModelSize.hidden,
    intermediate_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    hidden_act: "silu",
    max_position_embeddings: sampleModelSize.context,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: false,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const random = seededRandom(1);
  const tensors = [...readArchitecture(folder).parameters].map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const bound = Math.sqrt(3 / (shape[1] ?? 1));
    for (let i = 0; i < data.length; i++) data[i] = shape.length === 1 ? 1 : bound * (2 * random() - 1);
    return [name, { data, shape }] as const;
  });
  writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(new Map(tensors), "F32"));
}
