/** A Llama with random weights and adapters for it, on disk, for the tests of this folder. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { encodeSafetensors } from "../../engine/checkpoint/safetensors.ts";
import { randomStream } from "../../engine/generation/random.ts";
import { freshAdapter } from "../../engine/lora/adapter.ts";
import { writePeftAdapter } from "../../engine/lora/peft.ts";
import type { AdapterProbe } from "./manifest.ts";

/** Only the tokenizer is taken from here; it is in the repository whether or not the weights are. */
const embeddedModel = fileURLToPath(new URL("../../models/rejoinder-tiny", import.meta.url));

/**
 * Writes a checkpoint folder: two small layers under the embedded model's tokenizer.
 *
 * @param contextLength a short one makes for short replies, and so for a gate of seconds
 */
export function writeSampleModel(folder: string, seed = 1, contextLength = 512): void {
  mkdirSync(folder, { recursive: true });
  const embedded = JSON.parse(readFileSync(join(embeddedModel, "config.json"), "utf8"));
  const small = {
    hidden_size: 16,
    head_dim: 8,
    intermediate_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: contextLength,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...embedded, ...small }));
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    copyFileSync(join(embeddedModel, file), join(folder, file));
  }
  const random = randomStream(seed);
  const tensors = new Map<string, { data: Float32Array; shape: readonly number[] }>();
  for (const [name, shape] of readArchitecture(folder).parameters) {
    const size = shape.reduce((product, length) => product * length, 1);
    const data = Float32Array.from({ length: size }, () => (shape.length === 1 ? 1 : random() - 0.5));
    tensors.set(name, { data, shape });
  }
  writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(tensors, "F32"));
}

/** Writes a PEFT folder with rejoinder.json for that checkpoint; another seed, another adapter. Returns its sha256. */
export function writeSampleAdapter(folder: string, modelFolder: string, seed: number, probe?: AdapterProbe): string {
  const { architecture, sha256: baseSha256 } = readCheckpoint(modelFolder);
  const random = randomStream(seed);
  const shape = { rank: 2, alpha: 4, targetModules: ["q_proj", "v_proj"], rankStabilized: false };
  const adapter = freshAdapter(architecture, shape, random);
  for (const { b } of adapter.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = random() - 0.5;
  const sha256 = writePeftAdapter(folder, adapter, "sample");
  const manifest = {
    name: "rejoinder",
    parent: null,
    baseModel: { sha256: baseSha256 },
    metrics: { reward: seed },
    probe,
  };
  writeFileSync(join(folder, "rejoinder.json"), JSON.stringify(manifest));
  return sha256;
}
