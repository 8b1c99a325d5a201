import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../types.ts";
import { readArchitecture } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "config-"));
afterAll(() => rmSync(folder, { recursive: true }));

const valid = {
  architectures: ["LlamaForCausalLM"],
  hidden_act: "silu",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  vocab_size: 100,
  tie_word_embeddings: true,
};

function read(config: unknown) {
  writeFileSync(join(folder, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  return readArchitecture(folder);
}

describe("readArchitecture", () => {
  it("reads a Llama's sizes", () => {
    const model = read(valid);
    expect(model).toMatchObject({ hiddenSize: 64, headSize: 16, keyValueHeads: 2, layers: 2, contextLength: 128 });
    expect(model.parameters.get("model.layers.1.self_attn.k_proj.weight")).toEqual([32, 64]);
    expect(model.parameters.has("lm_head.weight")).toBe(false);
    // Embedding 6,400; a layer 2 x 64 x 64 + 2 x 64 x 32 + 3 x 64 x 96 + 2 x 64; final norm 64.
    const sizes = [...model.parameters.values()].map((shape) => shape.reduce((a, b) => a * b, 1));
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(6400 + 2 * 30_848 + 64);
  });

  it("fills in what transformers leaves out", () => {
    const { num_key_value_heads: _, tie_word_embeddings: __, ...short } = valid;
    const model = read({ ...short, head_dim: null, rope_scaling: null });
    expect(model.keyValueHeads).toBe(4);
    expect(model.parameters.get("lm_head.weight")).toEqual([100, 64]);
    expect(read({ ...valid, head_dim: 32 }).parameters.get("model.layers.0.self_attn.q_proj.weight")).toEqual([
      128, 64,
    ]);
  });

  it("refuses by file and entry what is missing, wrong or not built", () => {
    const path = join(folder, "config.json");
    const refused: [unknown, string][] = [
      ["{", "cannot be read as JSON"],
      ["null", "is not a JSON object"],
      ["[]", "architectures names undefined"],
      [
        { ...valid, architectures: ["BloomForCausalLM"] },
        'architectures names "BloomForCausalLM"; supported are LlamaForCausalLM, MistralForCausalLM, ',
      ],
      [{ ...valid, hidden_size: undefined }, "hidden_size must be a whole number"],
      [{ ...valid, hidden_size: "64" }, 'hidden_size must be a whole number from 1 to 4194304, not "64"'],
      [{ ...valid, num_hidden_layers: 0 }, "num_hidden_layers must be a whole number from 1 to 1024, not 0"],
      [{ ...valid, num_hidden_layers: 2_000_000_000 }, "num_hidden_layers must be a whole number from 1 to 1024"],
      [{ ...valid, hidden_size: 66 }, "hidden_size 66 is no multiple of 4 attention heads"],
      [{ ...valid, num_key_value_heads: 3 }, "4 attention heads cannot share 3 key/value heads"],
      [{ ...valid, head_dim: 15 }, "head_dim 15 must be even"],
      [{ ...valid, hidden_act: "quick_gelu" }, 'hidden_act = "quick_gelu" is not supported'],
      [{ ...valid, attention_bias: 1 }, "attention_bias must be true or false, not 1"],
      [{ ...valid, mlp_bias: "no" }, 'mlp_bias must be true or false, not "no"'],
      [{ ...valid, partial_rotary_factor: 0.5 }, "partial_rotary_factor = 0.5 is not supported"],
      [{ ...valid, rope_scaling: [] }, "rope_scaling must be an object, not []"],
      [{ ...valid, rope_scaling: { type: "ntk" } }, 'rope_scaling.type = "ntk" is not supported'],
      [
        { ...valid, rope_scaling: { rope_type: "linear" } },
        "rope_scaling.factor must be a positive number, not undefined",
      ],
      [
        { ...valid, rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
        "rope_scaling.high_freq_factor = 4 is not supported: it must be above low_freq_factor",
      ],
      [
        { ...valid, rope_parameters: { rope_type: "longrope", short_factor: [1, 2], long_factor: [] } },
        "rope_parameters.short_factor must be a list of 8 positive numbers, not [1,2]",
      ],
      [
        { ...valid, rope_theta: undefined, rope_parameters: { rope_theta: "x" } },
        'rope_theta must be a positive number, not "x"',
      ],
      [{ ...valid, rms_norm_eps: -1 }, "rms_norm_eps must be a positive number, not -1"],
      [{ ...valid, tie_word_embeddings: "yes" }, 'tie_word_embeddings must be true or false, not "yes"'],
      [{ ...valid, quantization_config: { bits: 4 } }, 'quantization_config = {"bits":4} is not supported'],
    ];
    for (const [config, message] of refused) {
      expect(() => read(config), message).toThrow(CheckpointError);
      expect(() => read(config)).toThrow(path);
      expect(() => read(config)).toThrow(message);
    }
    expect(() => readArchitecture(join(folder, "absent"))).toThrow(CheckpointError);
  });

  it("whatever values the entries take: an architecture or a CheckpointError, at once", () => {
    const entry = fc.constantFrom(...Object.keys(valid), "head_dim", "rope_parameters", "rope_scaling");
    const value = fc.oneof(fc.jsonValue(), fc.nat(), fc.double(), fc.constantFrom(1e9, 2 ** 31, -1, 0.5));
    fc.assert(
      fc.property(fc.dictionary(entry, value, { minKeys: 1, maxKeys: 3 }), (changes) => {
        try {
          expect(read({ ...valid, ...changes }).parameters.size).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
