import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { CheckpointError } from "../types.ts";
import { openCheckpointTensors, readCheckpoint, readWeights } from "./checkpoint.ts";
import { encodeSafetensors, openSafetensors, readTensor } from "./safetensors.ts";

const fixture = join(import.meta.dirname, "../../test/fixtures/tiny-llama");
const folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
const path = join(folder, "model.safetensors");
afterAll(() => rmSync(folder, { recursive: true }));

type Tensors = Map<string, { data: Float32Array; shape: readonly number[] }>;

/** The tied fixture with its tensors changed. */
function withTensors(change: (tensors: Tensors) => void): void {
  const file = openSafetensors(join(fixture, "tied/model.safetensors"));
  const tensors: Tensors = new Map(
    [...file.tensors].map(([name, { shape }]) => [name, { data: readTensor(file, name), shape }]),
  );
  change(tensors);
  writeFileSync(path, encodeSafetensors(tensors, "F32"));
}

describe("readCheckpoint", () => {
  beforeEach(() => cpSync(join(fixture, "tied"), folder, { recursive: true }));

  it("reads a folder as transformers wrote it and counts its weights", () => {
    const { weights, parameters, sha256, architecture } = readCheckpoint(join(fixture, "untied"));
    // From the configuration: 2 x 128 x 32, two layers of 2 x 32 x 32 + 2 x 32 x 16 + 3 x 32 x 48 + 2 x 32, a norm.
    expect(parameters).toBe(8192 + 2 * (2048 + 1024 + 4608 + 64) + 32);
    expect([...weights.keys()]).toEqual([...architecture.parameters.keys()]);
    const bytes = readFileSync(join(fixture, "untied/model.safetensors"));
    expect(sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  });

  it("names a tensor that is missing, superfluous, of another shape or not finite", () => {
    const name = "model.layers.1.mlp.up_proj.weight";
    const changes: [(tensors: Tensors) => void, string][] = [
      [(t) => t.delete(name), `${path}: tensor ${name} is missing`],
      [
        (t) => t.set("model.layers.2.extra", { data: new Float32Array(1), shape: [1] }),
        `${path}: tensor model.layers.2.extra belongs to no LlamaForCausalLM`,
      ],
      [
        (t) => t.set(name, { data: new Float32Array(48 * 32), shape: [32, 48] }),
        `${path}: tensor ${name} has shape [32, 48], config.json asks for [48, 32]`,
      ],
      [(t) => t.get(name)?.data.fill(Number.NaN, 7, 8), `${path}: tensor ${name} holds NaN or infinity`],
      [(t) => t.get(name)?.data.fill(Number.NEGATIVE_INFINITY, 0, 1), `${path}: tensor ${name} holds NaN or infinity`],
    ];
    for (const [change, message] of changes) {
      withTensors(change);
      expect(() => readCheckpoint(folder), message).toThrow(CheckpointError);
      expect(() => readCheckpoint(folder)).toThrow(message);
    }
  });

  it("passes over copies of tied embeddings and stored rotary frequencies", () => {
    withTensors((tensors) => {
      tensors.set("lm_head.weight", { data: new Float32Array(128 * 32), shape: [128, 32] });
      tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", { data: new Float32Array(4), shape: [4] });
    });
    expect(readCheckpoint(folder).weights.has("lm_head.weight")).toBe(false);
  });

  it("finds parameters under an architecture's other names and passes over what it ignores", () => {
    const layout = {
      name: "GPT2LMHeadModel",
      parameters: new Map([["transformer.wte.weight", [2, 1]]]),
      ignored: /(?:^|\.)attn\.bias$/,
      aliases: (name: string) => [name.replace("transformer.", "")],
    };
    const value = { data: Float32Array.of(1, 2), shape: [2, 1] };
    const open = (names: string[]) => {
      writeFileSync(path, encodeSafetensors(new Map(names.map((name) => [name, value])), "F32"));
      return openCheckpointTensors(folder, layout);
    };
    const opened = open(["h.0.attn.bias", "h.0.attn.masked_bias", "wte.weight"]);
    expect([...readWeights(opened)]).toEqual([["transformer.wte.weight", Float32Array.of(1, 2)]]);
    expect(opened.tensors.get("transformer.wte.weight")?.storedName).toBe("wte.weight");
    expect(() => open(["wte.weight", "transformer.wte.weight"])).toThrow("tensor wte.weight belongs to no GPT2LMHead");
    expect(() => open(["h.0.attn.bias"])).toThrow(`${path}: tensor transformer.wte.weight is missing`);
  });

  it("reads GPT-2 as it was first saved, without its prefix and with its masks", () => {
    const gpt2 = join(import.meta.dirname, "../../test/fixtures/architectures/gpt2");
    cpSync(gpt2, folder, { recursive: true });
    const whole = readCheckpoint(gpt2);
    const file = openSafetensors(join(gpt2, "model.safetensors"));
    const tensors: Tensors = new Map(
      [...file.tensors].map(([name, { shape }]) => [
        name.replace("transformer.", ""),
        { data: readTensor(file, name), shape },
      ]),
    );
    tensors.set("h.0.attn.bias", { data: new Float32Array(4), shape: [1, 1, 2, 2] });
    writeFileSync(path, encodeSafetensors(tensors, "F32"));
    expect([...readCheckpoint(folder).weights]).toEqual([...whole.weights]);
  });

  it("refuses weights that are no floats", () => {
    const json = JSON.stringify({ a: { dtype: "I8", shape: [2], data_offsets: [0, 2] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(path, Buffer.concat([length, Buffer.from(json), Buffer.alloc(2)]));
    const open = () => openCheckpointTensors(folder, { name: "A", parameters: new Map([["a", [2]]]) });
    expect(open).toThrow(`${path}: tensor a is of type I8; weights of type F32, F16 and BF16 can be read`);
  });

  it("refuses a weights file that is cut off, and a folder without one", () => {
    writeFileSync(path, readFileSync(path).subarray(0, 5000));
    expect(() => readCheckpoint(folder)).toThrow(CheckpointError);
    expect(() => readCheckpoint(folder)).toThrow(path);
    rmSync(path);
    expect(() => readCheckpoint(folder)).toThrow(`${path}: cannot be read`);
  });
});
