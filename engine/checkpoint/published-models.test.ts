/** config.json as the makers of well-known models publish it, with the number of weights that their files hold. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../types.ts";
import { readArchitecture } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "published-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Config = Record<string, unknown>;

function read(config: Config) {
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return readArchitecture(folder);
}

const tinyLlama = {
  architectures: ["LlamaForCausalLM"],
  hidden_act: "silu",
  hidden_size: 2048,
  intermediate_size: 5632,
  max_position_embeddings: 2048,
  num_attention_heads: 32,
  num_hidden_layers: 22,
  num_key_value_heads: 4,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10000.0,
  tie_word_embeddings: false,
  vocab_size: 32000,
};
const llama32 = {
  ...tinyLlama,
  attention_bias: false,
  head_dim: 64,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  mlp_bias: false,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  rope_scaling: {
    factor: 32.0,
    high_freq_factor: 4.0,
    low_freq_factor: 1.0,
    original_max_position_embeddings: 8192,
    rope_type: "llama3",
  },
  rope_theta: 500000.0,
  tie_word_embeddings: true,
  vocab_size: 128256,
};
const mistral = {
  architectures: ["MistralForCausalLM"],
  hidden_act: "silu",
  hidden_size: 4096,
  intermediate_size: 14336,
  max_position_embeddings: 32768,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 10000.0,
  sliding_window: 4096,
  tie_word_embeddings: false,
  vocab_size: 32000,
};
const qwen25 = {
  architectures: ["Qwen2ForCausalLM"],
  hidden_act: "silu",
  hidden_size: 896,
  intermediate_size: 4864,
  max_position_embeddings: 32768,
  max_window_layers: 21,
  num_attention_heads: 14,
  num_hidden_layers: 24,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  sliding_window: 32768,
  tie_word_embeddings: true,
  use_sliding_window: false,
  vocab_size: 151936,
};
const qwen3 = {
  ...qwen25,
  architectures: ["Qwen3ForCausalLM"],
  attention_bias: false,
  head_dim: 128,
  hidden_size: 1024,
  intermediate_size: 3072,
  max_position_embeddings: 40960,
  max_window_layers: 28,
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rope_scaling: null,
  sliding_window: null,
};
const redPajama = {
  architectures: ["GPTNeoXForCausalLM"],
  hidden_act: "gelu",
  hidden_size: 2560,
  intermediate_size: 10240,
  layer_norm_eps: 1e-5,
  max_position_embeddings: 2048,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  rotary_emb_base: 10000,
  rotary_pct: 1.0,
  tie_word_embeddings: false,
  use_parallel_residual: false,
  vocab_size: 50432,
};
const falcon7b = {
  alibi: false,
  architectures: ["FalconForCausalLM"],
  bias: false,
  hidden_size: 4544,
  layer_norm_epsilon: 1e-5,
  multi_query: true,
  new_decoder_architecture: false,
  num_attention_heads: 71,
  num_hidden_layers: 32,
  parallel_attn: true,
  vocab_size: 65024,
};
const dialoGpt = {
  activation_function: "gelu_new",
  architectures: ["GPT2LMHeadModel"],
  layer_norm_epsilon: 1e-5,
  n_ctx: 1024,
  n_embd: 1024,
  n_head: 16,
  n_layer: 24,
  n_positions: 1024,
  vocab_size: 50257,
};
const phi3 = {
  architectures: ["Phi3ForCausalLM"],
  attention_bias: false,
  hidden_act: "silu",
  hidden_size: 3072,
  intermediate_size: 8192,
  max_position_embeddings: 4096,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 32,
  original_max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10000.0,
  sliding_window: 2047,
  tie_word_embeddings: false,
  vocab_size: 32064,
};
const gemma2 = {
  architectures: ["Gemma2ForCausalLM"],
  attention_bias: false,
  attn_logit_softcapping: 50.0,
  final_logit_softcapping: 30.0,
  head_dim: 256,
  hidden_act: "gelu_pytorch_tanh",
  hidden_activation: "gelu_pytorch_tanh",
  hidden_size: 2304,
  intermediate_size: 9216,
  max_position_embeddings: 8192,
  num_attention_heads: 8,
  num_hidden_layers: 26,
  num_key_value_heads: 4,
  query_pre_attn_scalar: 256,
  rms_norm_eps: 1e-6,
  rope_theta: 10000.0,
  sliding_window: 4096,
  vocab_size: 256000,
};
const gemma3 = {
  architectures: ["Gemma3ForCausalLM"],
  attention_bias: false,
  attn_logit_softcapping: null,
  final_logit_softcapping: null,
  head_dim: 256,
  hidden_activation: "gelu_pytorch_tanh",
  hidden_size: 1152,
  intermediate_size: 6912,
  max_position_embeddings: 32768,
  num_attention_heads: 4,
  num_hidden_layers: 26,
  num_key_value_heads: 1,
  query_pre_attn_scalar: 256,
  rms_norm_eps: 1e-6,
  rope_local_base_freq: 10000,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: 512,
  sliding_window_pattern: 6,
  vocab_size: 262144,
};

const published: readonly (readonly [name: string, config: Config, weights: number])[] = [
  ["TinyLlama 1.1B", tinyLlama, 1_100_048_384],
  ["Llama 3.2 1B", llama32, 1_235_814_400],
  ["Mistral 7B", mistral, 7_241_732_096],
  ["Qwen 2.5 0.5B", qwen25, 494_032_768],
  ["Qwen 3 0.6B", qwen3, 596_049_920],
  ["RedPajama-INCITE 3B", redPajama, 2_775_864_320],
  ["Falcon 7B", falcon7b, 6_921_720_704],
  ["DialoGPT medium", dialoGpt, 354_823_168],
  ["Phi-3 mini 4k", phi3, 3_821_079_552],
  ["Gemma 2 2B", gemma2, 2_614_341_888],
  ["Gemma 3 1B", gemma3, 999_885_952],
];

describe("readArchitecture", () => {
  it.each(published)("counts the weights of %s", (_name, config, weights) => {
    const sizes = [...read(config).parameters.values()].map((shape) => shape.reduce((a, b) => a * b, 1));
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(weights);
  });

  it("whatever values the entries take: an architecture or a CheckpointError, at once", () => {
    const sections = ["rope_scaling", "rope_parameters", "layer_types", "head_dim", "num_kv_heads", "no_rope_layers"];
    const kinds = ["linear", "dynamic", "llama3", "yarn", "longrope", "su"];
    const rope = fc.record(
      {
        rope_type: fc.constantFrom(...kinds),
        factor: fc.oneof(fc.double(), fc.constantFrom(0, 1, 4)),
        low_freq_factor: fc.constantFrom(1, 4),
        high_freq_factor: fc.constantFrom(1, 4),
        original_max_position_embeddings: fc.constantFrom(0, 1, 8, 1e9),
        rope_theta: fc.constantFrom(1, 10_000, 1e300),
        short_factor: fc.constantFrom([], [1], Array(48).fill(1), Array(48).fill(1e-320)),
        mscale: fc.constantFrom(0, 1, null),
        mscale_all_dim: fc.constantFrom(0, 1e300),
      },
      { requiredKeys: ["rope_type"] },
    );
    const value = fc.oneof(fc.jsonValue(), fc.nat(), rope, fc.constantFrom(1e9, -1, 0.5, 1, 2, null));
    const changed = fc.constantFrom(...published.map(([, config]) => config)).chain((config) => {
      const entry = fc.constantFrom(...Object.keys(config), ...sections).filter((name) => name !== "architectures");
      return fc.dictionary(entry, value, { minKeys: 1, maxKeys: 3 }).map((changes) => ({ ...config, ...changes }));
    });
    fc.assert(
      fc.property(changed, (config) => {
        try {
          expect(read(config).parameters.size).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("ends the context where scaling by length would change the frequencies of what was read before", () => {
    const longrope = { type: "longrope", short_factor: Array(48).fill(1), long_factor: Array(48).fill(2) };
    expect(read({ ...phi3, max_position_embeddings: 131072, rope_scaling: longrope }).contextLength).toBe(4096);
    expect(read({ ...tinyLlama, rope_scaling: { type: "dynamic", factor: 4 } }).contextLength).toBe(2048);
  });

  it.each<[string, Config, string]>([
    ["alibi", { ...falcon7b, alibi: true }, "alibi = true is not supported"],
    ["two norms in the old layout", { ...falcon7b, num_ln_in_parallel_attn: 2 }, "num_ln_in_parallel_attn = 2 is not"],
    [
      "attention in turn in the new layout",
      { ...falcon7b, new_decoder_architecture: true, parallel_attn: false },
      "parallel_attn = false is not supported: new_decoder_architecture is parallel",
    ],
    [
      "key/value heads that do not divide",
      { ...falcon7b, new_decoder_architecture: true, num_kv_heads: 2 },
      "71 attention heads cannot share 2 key/value heads",
    ],
    ["heads that do not fit", { ...dialoGpt, n_head: 15 }, "n_embd 1024 is no multiple of n_head 15"],
    ["cross-attention", { ...dialoGpt, add_cross_attention: true }, "add_cross_attention = true is not supported"],
    ["an unknown activation", { ...redPajama, hidden_act: "mish" }, 'hidden_act = "mish" is not supported'],
    ["an odd rotation", { ...redPajama, rotary_pct: 0.02 }, "rotary_pct 0.02 of a head of 80 leaves 1 dimensions"],
    [
      "LongRoPE without factors",
      { ...phi3, rope_scaling: { type: "longrope" } },
      "rope_scaling.short_factor = undefined is not supported",
    ],
    ["YaRN in Phi-3", { ...phi3, rope_scaling: { type: "yarn" } }, 'rope_scaling.type = "yarn" is not supported'],
    [
      "layer kinds that are too few",
      { ...gemma2, layer_types: ["full_attention"] },
      "layer_types must be a list of 26 names out of full_attention, sliding_attention, not",
    ],
    [
      "layers that slide without a window",
      { ...gemma3, sliding_window: null, layer_types: Array(26).fill("sliding_attention") },
      "is not supported: layers slide, but sliding_window is not set",
    ],
    [
      "caps that Gemma 3 does not apply",
      { ...gemma3, attn_logit_softcapping: 50 },
      "attn_logit_softcapping = 50 is not",
    ],
    [
      "attention in both directions",
      { ...gemma2, use_bidirectional_attention: true },
      "use_bidirectional_attention = true is not supported",
    ],
    [
      "Gemma 3 with pictures",
      { ...gemma3, architectures: ["Gemma3ForConditionalGeneration"] },
      'architectures names "Gemma3ForConditionalGeneration"; supported are',
    ],
  ])("refuses %s", (_what, config, message) => {
    expect(() => read(config)).toThrow(CheckpointError);
    expect(() => read(config)).toThrow(`${join(folder, "config.json")}: `);
    expect(() => read(config)).toThrow(message);
  });
});
