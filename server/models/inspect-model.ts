/** What a model's folder holds. Reads every weight, so that what is damaged is found here and not at the next start. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { ParameterLayout } from "../../engine/architectures/architecture.ts";
import { encoderArchitecture } from "../../engine/architectures/encoders/encoder-architecture.ts";
import { type CheckpointTensors, openCheckpointTensors } from "../../engine/checkpoint/checkpoint.ts";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { isEncoderName, readEncoderDescription } from "../../engine/encoder/encoder-config.ts";
import { findChatTemplate } from "../../engine/tokenizer/template-source.ts";
import { readJson, readTokenizerFile } from "../../engine/tokenizer/tokenizer-file.ts";
import { CheckpointError } from "../../engine/types.ts";
import { readLicence } from "./licence.ts";
import { estimateMemory, type MemoryEstimate } from "./memory-estimate.ts";

export interface ModelDescription {
  id: string;
  folder: string;
  kind: "chat" | "encoder";
  architecture: string;
  parameters: number;
  sha256: string;
  layers: number;
  hiddenSize: number;
  headSize: number;
  keyValueHeads: number;
  vocabularySize: number;
  contextLength: number;
  /** Types of the stored weights, such as F32 or BF16. */
  storedAs: string[];
  /** Encoders are run in float32 alone. */
  memory: MemoryEstimate | { none: number };
  tokenizer: { kind: string; controlTokens: number };
  /** Where the chat template comes from; null for encoders and where there is none. */
  chatTemplate: string | null;
  /** Classes of an encoder with a classification head. */
  labels?: readonly string[];
  licence: string | null;
  tensors: { name: string; shape: readonly number[] }[];
}

type Sizes = Pick<
  ModelDescription,
  "layers" | "hiddenSize" | "headSize" | "keyValueHeads" | "vocabularySize" | "contextLength"
>;

/** @throws CheckpointError naming the file and what is wrong with it */
export function inspectModel(folder: string): ModelDescription {
  const config = readJson(join(folder, "config.json"));
  const name: unknown = Array.isArray(config.architectures) ? config.architectures[0] : undefined;
  return isEncoderName(name) ? inspectEncoder(folder) : inspectChatModel(folder, config);
}

function inspectChatModel(folder: string, config: Record<string, unknown>): ModelDescription {
  const architecture = readArchitecture(folder);
  const { layers, hiddenSize, headSize, keyValueHeads, vocabularySize, contextLength } = architecture;
  const opened = openCheckpointTensors(folder, architecture);
  const sizes = { layers, hiddenSize, headSize, keyValueHeads, vocabularySize, contextLength };
  const described = describe(folder, architecture, opened, sizes);
  return {
    ...described,
    kind: "chat",
    memory: estimateMemory(architecture, opened.parameters),
    chatTemplate: templateSource(folder, config.model_type),
  };
}

function inspectEncoder(folder: string): ModelDescription {
  const { config, labels, contextLength } = readEncoderDescription(folder);
  const layout = encoderArchitecture(config);
  const opened = openCheckpointTensors(folder, layout);
  const { layers, hiddenSize, heads, vocabularySize } = config;
  const headSize = hiddenSize / heads;
  const sizes = { layers, hiddenSize, headSize, keyValueHeads: heads, vocabularySize, contextLength };
  return {
    ...describe(folder, layout, opened, sizes),
    kind: "encoder",
    memory: { none: 4 * opened.parameters },
    chatTemplate: null,
    ...(labels.length > 0 ? { labels } : {}),
  };
}

function describe(folder: string, layout: ParameterLayout, opened: CheckpointTensors, sizes: Sizes) {
  for (const tensor of opened.tensors.values()) tensor.read();
  const { kind, control } = readTokenizerFile(folder, sizes.vocabularySize);
  return {
    id: basename(folder),
    folder,
    architecture: layout.name,
    parameters: opened.parameters,
    sha256: opened.sha256(),
    ...sizes,
    storedAs: [...new Set([...opened.tensors.values()].map(({ type }) => type))].sort(),
    tokenizer: { kind, controlTokens: control.length },
    licence: readLicence(folder),
    tensors: [...layout.parameters].map(([tensor, shape]) => ({ name: tensor, shape })),
  };
}

function templateSource(folder: string, modelType: unknown): string | null {
  const path = join(folder, "tokenizer_config.json");
  try {
    return findChatTemplate(folder, existsSync(path) ? readJson(path) : {}, modelType).from;
  } catch (error) {
    if (error instanceof CheckpointError) return null;
    throw error;
  }
}
