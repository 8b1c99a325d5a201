import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { llama } from "../../engine/architectures/llama.ts";
import { openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";
import { type PretrainOptions, type PretrainReport, pretrain, rowLength, scheduleFactor } from "./pretrain.ts";
import { seededRandom } from "./shuffle.ts";

const root = mkdtempSync(join(tmpdir(), "pretrain-"));
afterAll(() => rmSync(root, { recursive: true }));

const vocabularySize = 32;
const architecture = llama({
  vocabularySize,
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 1,
  heads: 2,
  keyValueHeads: 1,
  headSize: 8,
  contextLength: 512,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
});

/** Each token is followed by one of two with equal chance, so no model's loss can stay below ln 2. */
function writeTokens(path: string, count: number, seed: number): void {
  const random = seededRandom(seed);
  let token = 1;
  const tokens = Uint16Array.from({ length: count }, () => {
    token = (3 * token + (random() < 0.5 ? 1 : 2)) % vocabularySize;
    return token;
  });
  writeFileSync(path, new Uint8Array(tokens.buffer));
}

function optionsFor(name: string): PretrainOptions {
  return {
    architecture,
    corpus: root,
    outDir: join(root, name),
    steps: 40,
    chunksPerStep: 1,
    rates: { matrix: 0.05, embedding: 0.1, head: 0.05, norm: 0.01, weightDecay: 0.01 },
    warmupSteps: 2,
    decayShare: 0.4,
    seed: 3,
    threads: 1,
  };
}

describe("pretrain", () => {
  const reports: PretrainReport[] = [];

  beforeAll(async () => {
    writeTokens(join(root, "train.bin"), 24 * 512 + 1, 1);
    writeTokens(join(root, "heldout.bin"), 2 * 512 + 1, 2);
    expect(await pretrain({ ...optionsFor("whole"), onStep: (report) => reports.push(report) })).toBe(true);
  }, 120_000);

  it("starts from the loss of guessing and learns what can be learnt", () => {
    expect(reports).toHaveLength(40);
    expect(reports[0]?.loss).toBeCloseTo(Math.log(vocabularySize), 1);
    const { heldOutLoss = Number.NaN } = reports.at(-1) ?? {};
    expect(heldOutLoss).toBeLessThan(1);
    expect(heldOutLoss).toBeGreaterThan(Math.log(2) - 0.02);
  });

  it("leaves the weights in bfloat16 and a line of metrics a step", () => {
    const { tensors } = openSafetensors(join(root, "whole/model.safetensors"));
    expect([...tensors.keys()]).toEqual([...architecture.parameters.keys()]);
    expect(new Set([...tensors.values()].map(({ type }) => type))).toEqual(new Set(["BF16"]));
    const lines = readFileSync(join(root, "whole/metrics.jsonl"), "utf8").trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as PretrainReport).step)).toEqual(reports.map(({ step }) => step));
  });

  it("goes on after interruptions to the same bits as without", async () => {
    const losses: number[] = [];
    for (const stopAt of [7, 23, 40]) {
      const stop = new AbortController();
      const finished = await pretrain({
        ...optionsFor("interrupted"),
        signal: stop.signal,
        onStep: ({ step, loss }) => {
          losses.push(loss);
          if (step === stopAt) stop.abort();
        },
      });
      expect(finished).toBe(stopAt === 40);
    }
    expect(losses).toEqual(reports.map(({ loss }) => loss));
    const weightsOf = (name: string) => readFileSync(join(root, name, "model.safetensors"));
    expect(weightsOf("interrupted").equals(weightsOf("whole"))).toBe(true);
  }, 120_000);

  it("goes on from given weights and leaves them as they are", async () => {
    const file = openSafetensors(join(root, "whole/model.safetensors"));
    const from = new Map([...architecture.parameters.keys()].map((name) => [name, readTensor(file, name)]));
    const before = new Map([...from].map(([name, data]) => [name, data.slice()]));
    const losses: number[] = [];
    await pretrain({ ...optionsFor("further"), from, steps: 2, onStep: ({ loss }) => losses.push(loss) });
    // Fresh weights begin at ln 32 = 3.47; the first run ended below 1.
    expect(losses[0]).toBeLessThan(1.2);
    expect(from).toEqual(before);
  });

  it("stops aloud when the loss is no number", async () => {
    const rates = { matrix: 0, embedding: Number.NaN, head: 0, norm: 0, weightDecay: 0 };
    await expect(pretrain({ ...optionsFor("broken"), rates })).rejects.toThrow("the loss of step 2 is NaN");
  });
});

describe("rowLength", () => {
  it("doubles after two fifths and four fifths of the run", () => {
    expect([0, 0.39, 0.4, 0.79, 0.8, 0.99].map(rowLength)).toEqual([128, 128, 256, 256, 512, 512]);
  });
});

describe("scheduleFactor", () => {
  it("warms up, holds, and falls in a line to zero over the last part", () => {
    const factor = (step: number) => scheduleFactor(step, 100, 10, 0.4);
    expect([0, 4, 9, 10, 60].map(factor)).toEqual([0.1, 0.5, 1, 1, 1]);
    expect([70, 80, 90, 100].map(factor)).toEqual([0.75, 0.5, 0.25, 0]);
  });
});
