import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../../engine/types.ts";
import { loadPretrainCheckpoint, savePretrainCheckpoint } from "./pretrain-checkpoint.ts";

const root = mkdtempSync(join(tmpdir(), "pretrain-checkpoint-"));
afterAll(() => rmSync(root, { recursive: true }));

const progress = { step: 12, chunks: 96, seconds: 3.25 };

/** One parameter with both moments and one with the first alone, as Muon keeps it. */
function state(fill: number) {
  const array = (size: number) => new Float32Array(size).fill(fill);
  return {
    weights: new Map([
      ["norm", array(3)],
      ["matrix", array(4)],
    ]),
    moments: new Map([
      ["norm", { m: array(3), v: array(3) }],
      ["matrix", { m: array(4), v: array(0) }],
    ]),
  };
}

describe("a pre-training checkpoint", () => {
  it("gives back weights, moments and progress to the bit", () => {
    const folder = mkdtempSync(join(root, "a-"));
    const saved = state(1 / 3);
    savePretrainCheckpoint(folder, saved.weights, saved.moments, progress);
    const loaded = state(0);
    expect(loadPretrainCheckpoint(folder, loaded.weights, loaded.moments)).toEqual(progress);
    expect(loaded).toEqual(saved);
  });

  it("is null where there is none", () => {
    const { weights, moments } = state(0);
    expect(loadPretrainCheckpoint(mkdtempSync(join(root, "b-")), weights, moments)).toBeNull();
  });

  it("is refused when it is damaged or of another model", () => {
    const folder = mkdtempSync(join(root, "c-"));
    const { weights, moments } = state(1);
    savePretrainCheckpoint(folder, weights, moments, progress);
    weights.set("matrix", new Float32Array(6));
    expect(() => loadPretrainCheckpoint(folder, weights, moments)).toThrow(CheckpointError);
    expect(() => loadPretrainCheckpoint(folder, weights, moments)).toThrow(/matrix holds 4 values, this run needs 6/);
    const path = join(folder, "checkpoint.safetensors");
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect(() => loadPretrainCheckpoint(folder, weights, moments)).toThrow(CheckpointError);
  });
});
