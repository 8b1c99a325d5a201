/** config.json of an encoder's checkpoint folder, refused by name where it asks for what is not built. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { EncoderConfig } from "../architectures/encoders/encoder-architecture.ts";
import type { EncoderFamily } from "../architectures/encoders/families.ts";
import { CheckpointError } from "../types.ts";

export interface EncoderDescription {
  config: EncoderConfig;
  /** Names of the classes; empty for a trunk without a head. */
  labels: readonly string[];
  /** Each label is a question of its own (sigmoid), not one of several answers (softmax). */
  multiLabel: boolean;
  /** How hidden states become one embedding. */
  pooling: "mean" | "first";
  /** Embeddings are brought to length 1. */
  normalize: boolean;
  /** Longest text in tokens, marks included. */
  contextLength: number;
}

type Json = Record<string, unknown>;

const names = /^(Bert|Roberta|XLMRoberta|DistilBert)(Model|ForMaskedLM|ForPreTraining|ForSequenceClassification)$/;
const familyOf: Readonly<Record<string, EncoderFamily>> = {
  Bert: "bert",
  Roberta: "roberta",
  XLMRoberta: "roberta",
  DistilBert: "distilbert",
};
const activations: Readonly<Record<string, EncoderConfig["activation"]>> = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  relu: "relu",
};

/** Whether config.json names an encoder. */
export function isEncoderName(name: unknown): boolean {
  return typeof name === "string" && names.test(name);
}

const size = z
  .int()
  .min(1)
  .max(2 ** 22);
const shared = z.object({
  vocab_size: size,
  max_position_embeddings: size,
  pad_token_id: z
    .int()
    .min(0)
    .max(2 ** 22)
    .nullish(),
  id2label: z.record(z.string(), z.string()).optional(),
  num_labels: size.optional(),
  problem_type: z.string().nullish(),
  position_embedding_type: z.literal("absolute").nullish(),
  is_decoder: z.literal(false).nullish(),
  quantization_config: z.null().optional(),
});
const bertSizes = shared.extend({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1024),
  num_attention_heads: size,
  hidden_act: z.string().default("gelu"),
  layer_norm_eps: z.number().positive().default(1e-12),
  type_vocab_size: size.default(2),
});
const distilbertSizes = shared
  .extend({
    dim: size,
    hidden_dim: size,
    n_layers: size.max(1024),
    n_heads: size,
    activation: z.string().default("gelu"),
  })
  .transform(({ dim, hidden_dim, n_layers, n_heads, activation, ...rest }) => ({
    ...rest,
    hidden_size: dim,
    intermediate_size: hidden_dim,
    num_hidden_layers: n_layers,
    num_attention_heads: n_heads,
    hidden_act: activation,
    layer_norm_eps: 1e-12,
    type_vocab_size: 1,
  }));

function readJson(path: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read as JSON`, { cause });
  }
  if (typeof value !== "object" || value === null) throw new CheckpointError(`${path}: is not a JSON object`);
  return value as Json;
}

/** @throws CheckpointError naming the file and the entry that is missing, wrong or not supported */
export function readEncoderDescription(folder: string): EncoderDescription {
  const path = join(folder, "config.json");
  const json = readJson(path);
  const name: unknown = Array.isArray(json.architectures) ? json.architectures[0] : undefined;
  const [, kind, task] = names.exec(String(name)) ?? [];
  const family = familyOf[kind ?? ""];
  if (family === undefined) {
    throw new CheckpointError(
      `${path}: architectures names ${JSON.stringify(name)}; encoders are of BERT, RoBERTa or DistilBERT, with a head for sequence classification or none`,
    );
  }
  const parsed = (family === "distilbert" ? distilbertSizes : bertSizes).safeParse(json);
  if (!parsed.success) throw new CheckpointError(`${path}: ${z.prettifyError(parsed.error)}`);
  const entries = parsed.data;
  const activation = activations[entries.hidden_act];
  if (activation === undefined) {
    throw new CheckpointError(`${path}: activation ${JSON.stringify(entries.hidden_act)} is not supported`);
  }
  if (entries.hidden_size % entries.num_attention_heads !== 0) {
    throw new CheckpointError(
      `${path}: hidden size ${entries.hidden_size} is no multiple of ${entries.num_attention_heads} attention heads`,
    );
  }
  const labels = task === "ForSequenceClassification" ? readLabels(path, entries.id2label, entries.num_labels) : [];
  if (entries.problem_type === "regression" && labels.length > 1) {
    throw new CheckpointError(`${path}: problem_type "regression" with several labels is not supported`);
  }
  const firstPosition = family === "roberta" ? (entries.pad_token_id ?? 1) + 1 : 0;
  const config: EncoderConfig = {
    name: String(name),
    family,
    vocabularySize: entries.vocab_size,
    hiddenSize: entries.hidden_size,
    intermediateSize: entries.intermediate_size,
    layers: entries.num_hidden_layers,
    heads: entries.num_attention_heads,
    positions: entries.max_position_embeddings,
    firstPosition,
    tokenTypes: entries.type_vocab_size,
    epsilon: entries.layer_norm_eps,
    activation,
    classes: labels.length === 0 ? null : labels.length,
  };
  const contextLength = config.positions - firstPosition;
  if (contextLength < 8) throw new CheckpointError(`${path}: ${config.positions} positions are too few for any text`);
  return {
    config,
    labels,
    multiLabel: entries.problem_type === "multi_label_classification" || labels.length === 1,
    contextLength: Math.min(contextLength, sentenceLength(folder) ?? contextLength),
    ...readPooling(folder),
  };
}

function readLabels(path: string, id2label: Readonly<Record<string, string>> | undefined, count = 2): string[] {
  if (id2label === undefined) return Array.from({ length: count }, (_, id) => `LABEL_${id}`);
  const labels = Object.keys(id2label).map((_, id) => id2label[id]);
  if (labels.length === 0 || !labels.every((label) => label !== undefined)) {
    throw new CheckpointError(`${path}: id2label does not name the classes from 0 on`);
  }
  return labels;
}

/** What sentence-transformers writes beside its models; mean pooling without a norm where it wrote nothing. */
function readPooling(folder: string): Pick<EncoderDescription, "pooling" | "normalize"> {
  const poolingPath = join(folder, "1_Pooling/config.json");
  const modulesPath = join(folder, "modules.json");
  const normalize = existsSync(modulesPath) && /models\.Normalize"/.test(readFileSync(modulesPath, "utf8"));
  if (!existsSync(poolingPath)) return { pooling: "mean", normalize };
  const chosen = Object.entries(readJson(poolingPath))
    .filter(([key, value]) => key.startsWith("pooling_mode_") && value === true)
    .map(([key]) => key);
  if (chosen.join() === "pooling_mode_mean_tokens") return { pooling: "mean", normalize };
  if (chosen.join() === "pooling_mode_cls_token") return { pooling: "first", normalize };
  throw new CheckpointError(`${poolingPath}: pooling by ${chosen.join(" and ") || "nothing"} is not supported`);
}

function sentenceLength(folder: string): number | null {
  const path = join(folder, "sentence_bert_config.json");
  if (!existsSync(path)) return null;
  const { max_seq_length: length } = readJson(path);
  return typeof length === "number" && Number.isInteger(length) && length > 2 ? length : null;
}
