import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { readArchitecture } from "../checkpoint/config.ts";
import { encodeSafetensors, openSafetensors, readTensor } from "../checkpoint/safetensors.ts";
import { CheckpointError } from "../types.ts";
import { freshAdapter, scalingOf } from "./adapter.ts";
import { readPeftAdapter, writePeftAdapter } from "./peft.ts";

const fixture = join(import.meta.dirname, "../../test/fixtures/tiny-llama/untied");
const architecture = readArchitecture(fixture);
const written = join(fixture, "lora");
const root = mkdtempSync(join(tmpdir(), "peft-"));
afterAll(() => rmSync(root, { recursive: true }));

const tensorsOf = (folder: string) => {
  const file = openSafetensors(join(folder, "adapter_model.safetensors"));
  return new Map([...file.tensors].map(([name, { shape }]) => [name, { data: readTensor(file, name), shape }]));
};
const configOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Record<string, unknown>;

describe("a folder that Python's PEFT wrote", () => {
  it("is read with its rank, scaling and matrices", () => {
    const adapter = readPeftAdapter(written, architecture);
    expect(adapter.shape).toMatchObject({ rank: 4, alpha: 8, rankStabilized: false });
    expect([...adapter.shape.targetModules].sort()).toEqual(
      ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"].sort(),
    );
    expect(adapter.matrices.size).toBe(14);
    const name = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight";
    expect(adapter.matrices.get("model.layers.1.mlp.down_proj")?.b).toEqual(tensorsOf(written).get(name)?.data);
  });

  it("says by use_rslora how it scales: alpha / r, or alpha / sqrt r", () => {
    expect(scalingOf(readPeftAdapter(written, architecture).shape)).toBe(2);
    expect(scalingOf(readPeftAdapter(join(fixture, "rslora"), architecture).shape)).toBe(4);
  });

  it("comes out of a round trip with the same tensors and the same meaning", () => {
    const folder = join(root, "round-trip");
    writePeftAdapter(folder, readPeftAdapter(written, architecture), "untied");
    expect(new Map([...tensorsOf(folder)].sort())).toEqual(new Map([...tensorsOf(written)].sort()));
    const [before, after] = [configOf(written), configOf(folder)];
    for (const [key, value] of Object.entries(after)) expect(value, key).toEqual(before[key]);
  });
});

describe("writePeftAdapter", () => {
  it("writes what it reads again, and hashes the weights it wrote", () => {
    let state = 1;
    const random = () => {
      state = (state * 16_807) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const shape = { rank: 3, alpha: 5, targetModules: ["v_proj", "up_proj"], rankStabilized: true };
    const adapter = freshAdapter(architecture, shape, random);
    const folder = join(root, "fresh");
    const sha256 = writePeftAdapter(folder, adapter, "base");
    expect(readPeftAdapter(folder, architecture)).toEqual(adapter);
    expect(writePeftAdapter(join(root, "again"), adapter, "base")).toBe(sha256);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("freshAdapter", () => {
  it("starts like PEFT: A uniform within 1 / sqrt(inputs), B zero", () => {
    const draws = [0, 0.25, 0.5, 0.999];
    let next = 0;
    const shape = { rank: 4, alpha: 8, targetModules: ["down_proj"], rankStabilized: false };
    const { matrices } = freshAdapter(architecture, shape, () => draws[next++ % draws.length] as number);
    const pair = matrices.get("model.layers.0.mlp.down_proj");
    // 48 inputs: between -0.1443 and 0.1443.
    expect([...(pair?.a.subarray(0, 3) ?? [])]).toEqual([-1 / Math.sqrt(48), -0.5 / Math.sqrt(48), 0].map(Math.fround));
    expect(pair?.a).toHaveLength(4 * 48);
    expect(pair?.b).toEqual(new Float32Array(32 * 4));
  });
});

describe("readPeftAdapter refuses", () => {
  const folder = join(root, "damaged");
  const weights = join(folder, "adapter_model.safetensors");
  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    cpSync(written, folder, { recursive: true });
  });
  const refusal = (message: string) => {
    expect(() => readPeftAdapter(folder, architecture), message).toThrow(CheckpointError);
    expect(() => readPeftAdapter(folder, architecture)).toThrow(message);
  };

  it("settings that it could not honour, by file and entry", () => {
    const path = join(folder, "adapter_config.json");
    const changes: [Record<string, unknown>, string][] = [
      [{ peft_type: "IA3" }, `${path}: peft_type = "IA3" is not supported`],
      [{ use_dora: true }, "use_dora = true is not supported"],
      [{ bias: "all" }, 'bias = "all" is not supported'],
      [{ lora_bias: true }, "lora_bias = true is not supported"],
      [{ layers_to_transform: 0 }, "layers_to_transform = 0 is not supported"],
      [{ layers_to_transform: [0] }, "layers_to_transform = [0] is not supported"],
      [{ rank_pattern: { q_proj: 2 } }, 'rank_pattern = {"q_proj":2} is not supported'],
      [{ modules_to_save: ["lm_head"] }, 'modules_to_save = ["lm_head"] is not supported'],
      [{ alora_invocation_tokens: [1, 2] }, "alora_invocation_tokens = [1,2] is not supported"],
      [{ r: 0 }, "r = 0 is not supported"],
      [{ r: 2.5 }, "r = 2.5 is not supported"],
      [{ lora_alpha: "8" }, 'lora_alpha = "8" is not supported'],
      [{ use_rslora: "no" }, 'use_rslora = "no" is not supported'],
      [{ target_modules: "all-linear" }, 'target_modules = "all-linear" is not supported'],
      [
        { target_modules: ["q_proj", "c_attn"] },
        `${folder}: target module c_attn is no linear layer of LlamaForCausalLM`,
      ],
    ];
    for (const [change, message] of changes) {
      writeFileSync(path, JSON.stringify({ ...configOf(written), ...change }));
      refusal(message);
    }
    for (const [text, message] of [
      ["null", "is not a JSON object"],
      ["{", "cannot be read as JSON"],
    ] as const) {
      writeFileSync(path, text);
      refusal(`${path}: ${message}`);
    }
  });

  it("tensors that are missing, superfluous, of another shape or not finite, by file and tensor", () => {
    const name = "base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight";
    type Tensors = ReturnType<typeof tensorsOf>;
    const changes: [(tensors: Tensors) => void, string][] = [
      [(t) => t.delete(name), `${weights}: tensor ${name} is missing`],
      [
        (t) => t.set("lm_head.weight", { data: new Float32Array(1), shape: [1] }),
        "tensor lm_head.weight fits no target module",
      ],
      [
        (t) => t.set(name.replace("layers.0", "layers.2"), { data: new Float32Array(4), shape: [4] }),
        "layers.2.self_attn.k_proj.lora_A.weight fits no",
      ],
      [
        (t) => t.set(name.replace(".lora_A.weight", ""), { data: new Float32Array(4), shape: [4] }),
        "self_attn.k_proj fits no target module",
      ],
      [
        (t) => t.set(name, { data: new Float32Array(4 * 32), shape: [32, 4] }),
        `${weights}: tensor ${name} has shape [32, 4], this model needs [4, 32]`,
      ],
      [(t) => t.get(name)?.data.fill(Number.NaN, 3, 4), `${weights}: tensor ${name} holds NaN or infinity`],
    ];
    for (const [change, message] of changes) {
      const tensors = tensorsOf(written);
      change(tensors);
      writeFileSync(weights, encodeSafetensors(tensors, "F32"));
      refusal(message);
    }
  });

  it("a rank that the matrices do not have, and files that are not there", () => {
    const path = join(folder, "adapter_config.json");
    writeFileSync(path, JSON.stringify({ ...configOf(written), r: 8 }));
    refusal("has shape [4, 32], this model needs [8, 32]");
    rmSync(weights);
    refusal(`${weights}: cannot be read`);
    rmSync(path);
    refusal(`${path}: cannot be read as JSON`);
  });

  it("or reads, but never fails in another way, whatever bytes of a file change", () => {
    const names = ["adapter_config.json", "adapter_model.safetensors"] as const;
    const originals = new Map(names.map((name) => [name, readFileSync(join(written, name))]));
    const change = fc.record({
      name: fc.constantFrom(...names),
      // Where the header and the settings are.
      at: fc.nat(1000),
      value: fc.nat(255),
    });
    fc.assert(
      fc.property(change, ({ name, at, value }) => {
        for (const [file, bytes] of originals) writeFileSync(join(folder, file), bytes);
        const bytes = Buffer.from(originals.get(name) as Buffer);
        bytes[at] = value;
        writeFileSync(join(folder, name), bytes);
        try {
          expect(readPeftAdapter(folder, architecture).matrices.size).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
        }
      }),
      { numRuns: 60 },
    );
  });
});
