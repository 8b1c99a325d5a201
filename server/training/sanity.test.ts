import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../../engine/checkpoint/safetensors.ts";
import { type Candidate, findFaults, findWeightFaults, maxKlToReference } from "./sanity.ts";

const sound: Candidate = {
  algorithm: "ppo",
  metrics: { klReference: 2.5, reward: 0.4 },
  nonFinite: [],
  weightFaults: [],
  quantization: "none" as const,
  probeDifference: 0.001,
};

describe("the checks that a trained adapter must pass", () => {
  it("lets a sound candidate through", () => {
    expect(findFaults(sound)).toEqual([]);
    expect(findFaults({ ...sound, algorithm: "sft", metrics: { loss: 2 } })).toEqual([]);
  });

  it.each([
    [{ nonFinite: ["loss", "kl"] }, "metrics that were not finite numbers: loss, kl"],
    [{ metrics: { klReference: maxKlToReference + 1 } }, "KL to the reference is 21.00 nats a reply, more than 20"],
    [{ metrics: { klReference: Number.NaN } }, "KL to the reference is NaN nats a reply, more than 20"],
    [{ metrics: {} }, "the run did not report klReference"],
    [{ probeDifference: 0.5 }, "served log-probs differ from the trainer's by 0.5000 nats, more than 0.02"],
    [{ probeDifference: Number.NaN }, "served log-probs differ from the trainer's by NaN nats, more than 0.02"],
    [{ weightFaults: ["the adapter is empty"], probeDifference: null }, "the adapter is empty"],
  ])("names what is wrong with %o", (change, fault) => {
    expect(findFaults({ ...sound, ...change })).toEqual([fault]);
  });

  it("will not serve what cannot be compared with its training", () => {
    expect(findFaults({ ...sound, probeDifference: null })).toEqual([expect.stringMatching(/holds no probe/)]);
  });
});

describe("an adapter's weights", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rejoinder-weights-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(a: number[], b: number[]): void {
    const layer = "base_model.model.model.layers.0.self_attn.q_proj";
    const tensors = new Map([
      [`${layer}.lora_A.weight`, { data: Float32Array.from(a), shape: [1, a.length] }],
      [`${layer}.lora_B.weight`, { data: Float32Array.from(b), shape: [b.length, 1] }],
    ]);
    writeFileSync(join(folder, "adapter_model.safetensors"), encodeSafetensors(tensors, "F32"));
  }

  it("are sound when finite and when some B differs from zero", () => {
    write([0.1, 0.2], [0, 0.3]);
    expect(findWeightFaults(folder)).toEqual([]);
  });

  it("are empty when every B is zero, whatever A holds", () => {
    write([0.1, 0.2], [0, 0]);
    expect(findWeightFaults(folder)).toEqual([expect.stringMatching(/empty/)]);
  });

  it("are at fault when a value is not finite, by name", () => {
    write([0.1, Number.NaN], [0.5, Number.POSITIVE_INFINITY]);
    expect(findWeightFaults(folder)).toEqual([
      expect.stringMatching(/q_proj\.lora_A\.weight/),
      expect.stringMatching(/q_proj\.lora_B\.weight/),
    ]);
  });
});
