/** config.json of a Hugging Face checkpoint folder, refused by name where it asks for what is not built. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../architectures/architecture.ts";
import { CheckpointError } from "../types.ts";
import { type ConfigEntries, configEntries } from "./config-entries.ts";
import { readFalcon } from "./configs/falcon.ts";
import { readGemma2, readGemma3 } from "./configs/gemma.ts";
import { readGptNeox } from "./configs/gpt-neox.ts";
import { readGpt2 } from "./configs/gpt2.ts";
import { readLlama, readMistral, readQwen2, readQwen3, readSmolLm3 } from "./configs/llama.ts";
import { readPhi3 } from "./configs/phi3.ts";

/** Who reads config.json, by its first `architectures` entry. */
const readers: ReadonlyMap<unknown, (entries: ConfigEntries) => Architecture> = new Map([
  ["LlamaForCausalLM", readLlama],
  ["MistralForCausalLM", readMistral],
  ["Qwen2ForCausalLM", readQwen2],
  ["Qwen3ForCausalLM", readQwen3],
  ["SmolLM3ForCausalLM", readSmolLm3],
  ["GPTNeoXForCausalLM", readGptNeox],
  ["FalconForCausalLM", readFalcon],
  ["GPT2LMHeadModel", readGpt2],
  ["Phi3ForCausalLM", readPhi3],
  ["Gemma2ForCausalLM", readGemma2],
  ["Gemma3ForCausalLM", readGemma3],
]);

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
  const reader = readers.get(name);
  if (reader === undefined) {
    const known = [...readers.keys()].join(", ");
    throw new CheckpointError(`${path}: architectures names ${JSON.stringify(name)}; supported are ${known}`);
  }
  const entries = configEntries(path, config as Record<string, unknown>);
  entries.must("quantization_config", null);
  return reader(entries);
}
