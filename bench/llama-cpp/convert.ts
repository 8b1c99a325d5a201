/** A Llama checkpoint folder becomes a GGUF file with the same weights, for a comparison on equal terms. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openCheckpointTensors } from "../../engine/checkpoint/checkpoint.ts";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { encodeRows } from "./ggml-blocks.ts";
import { type GgufTensor, type MetadataValue, type TensorType, writeGguf } from "./gguf.ts";

/** How products are stored: the layers', and the head's. */
export interface GgufPrecision {
  layers: TensorType;
  head: TensorType;
}

interface LlamaSizes {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  max_position_embeddings: number;
  rms_norm_eps: number;
  rope_theta: number;
  vocab_size: number;
}

const tensorNames: Readonly<Record<string, string>> = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
  input_layernorm: "attn_norm",
  post_attention_layernorm: "ffn_norm",
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  lm_head: "output",
};

function ggufName(name: string): string {
  const [, layer, inner] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  const known = tensorNames[inner ?? name.replace(/\.weight$/, "")];
  if (known === undefined) throw new Error(`GGUF has no name for tensor ${name} of a Llama`);
  return layer === undefined ? `${known}.weight` : `blk.${layer}.${known}.weight`;
}

/** Weights read at a time. */
const weightsPerPiece = 2 ** 22;

/**
 * llama.cpp rotates neighbouring features where Llama checkpoints rotate halves: within each head, row j * size / 2 + i
 * becomes row 2 i + j.
 */
function interleaveHalves(rows: Float32Array, width: number, headSize: number): Float32Array {
  const result = new Float32Array(rows.length);
  for (let row = 0; row * width < rows.length; row++) {
    const [head, inner] = [Math.floor(row / headSize), row % headSize];
    const from = head * headSize + (inner % 2) * (headSize / 2) + (inner >> 1);
    result.set(rows.subarray(from * width, (from + 1) * width), row * width);
  }
  return result;
}

/** As many tokens as the model has; texts do not matter, as the benchmark works on token ids. */
function vocabulary(size: number): Record<string, MetadataValue> {
  const special = ["<unk>", "<s>", "</s>"];
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const words = Array.from({ length: size - special.length - bytes.length }, (_, index) => `t${index}`);
  // llama.cpp's kinds of tokens: 2 unknown, 3 control, 6 byte, 1 normal.
  const kinds = [2, 3, 3, ...bytes.map(() => 6), ...words.map(() => 1)];
  return {
    "tokenizer.ggml.model": { string: "llama" },
    "tokenizer.ggml.tokens": { strings: [...special, ...bytes, ...words] },
    "tokenizer.ggml.scores": { floats: kinds.map((_, index) => -index) },
    "tokenizer.ggml.token_type": { ints: kinds },
    "tokenizer.ggml.bos_token_id": { uint32: 1 },
    "tokenizer.ggml.eos_token_id": { uint32: 2 },
    "tokenizer.ggml.unknown_token_id": { uint32: 0 },
  };
}

function metadataOf(config: LlamaSizes, headSize: number): Record<string, MetadataValue> {
  return {
    "general.architecture": { string: "llama" },
    "general.name": { string: "benchmark" },
    "llama.context_length": { uint32: config.max_position_embeddings },
    "llama.embedding_length": { uint32: config.hidden_size },
    "llama.block_count": { uint32: config.num_hidden_layers },
    "llama.feed_forward_length": { uint32: config.intermediate_size },
    "llama.attention.head_count": { uint32: config.num_attention_heads },
    "llama.attention.head_count_kv": { uint32: config.num_key_value_heads },
    "llama.attention.key_length": { uint32: headSize },
    "llama.attention.value_length": { uint32: headSize },
    "llama.attention.layer_norm_rms_epsilon": { float32: config.rms_norm_eps },
    "llama.rope.dimension_count": { uint32: headSize },
    "llama.rope.freq_base": { float32: config.rope_theta },
    "llama.vocab_size": { uint32: config.vocab_size },
    ...vocabulary(config.vocab_size),
  };
}

/** Rows of a tensor from the first, in pieces of whole heads. The same array may come again: it is encoded once. */
export type RowSource = (name: string, shape: readonly number[], headSize: number) => Iterable<Float32Array>;

/** The folder's own weights. */
export function checkpointRows(folder: string): RowSource {
  const { tensors } = openCheckpointTensors(folder, readArchitecture(folder));
  return function* (name, shape, headSize) {
    const [count = 1, width = 1] = shape;
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`the checkpoint has no tensor ${name}`);
    if (shape.length === 1) return yield tensor.read();
    const step = Math.max(1, Math.floor(weightsPerPiece / width / headSize)) * headSize;
    for (let first = 0; first < count; first += step) yield tensor.readRows(first, Math.min(step, count - first));
  };
}

/**
 * Writes `path` with the sizes of the folder's config.json and the weights of `source`.
 * @throws CheckpointError as `readArchitecture`; Error for a tensor that plain Llamas do not have
 */
export function convertToGguf(
  folder: string,
  path: string,
  { layers, head }: GgufPrecision,
  source = checkpointRows(folder),
): void {
  const { parameters, headSize } = readArchitecture(folder);
  const config: LlamaSizes = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const encoded = new WeakMap<Float32Array, Map<string, Uint8Array>>();
  const typeOf = (name: string, shape: readonly number[]): TensorType => {
    if (shape.length === 1) return "F32";
    if (name === "lm_head.weight") return head;
    return name === "model.embed_tokens.weight" ? "F16" : layers;
  };
  const tensors = [...parameters].map(([name, shape]): GgufTensor => {
    const type = typeOf(name, shape);
    const isRotated = /self_attn\.[qk]_proj/.test(name);
    const pieces = function* () {
      for (const rows of source(name, shape, headSize)) {
        const known = encoded.get(rows) ?? new Map<string, Uint8Array>();
        encoded.set(rows, known);
        const key = `${type} ${isRotated}`;
        const ordered = () => (isRotated ? interleaveHalves(rows, shape[1] ?? 1, headSize) : rows);
        const bytes = known.get(key) ?? encodeRows(type, ordered());
        known.set(key, bytes);
        yield bytes;
      }
    };
    return { name: ggufName(name), type, shape, pieces };
  });
  writeGguf(path, metadataOf(config, headSize), tensors);
}
