import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Checkpoint, readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { freshAdapter, type LoraAdapter } from "../../engine/lora/adapter.ts";
import { matricesOf } from "../lora-graph.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { writeSampleModel } from "../sample-model.ts";
import { defaultPpoSettings, fixedPpoSettings } from "./default-settings.ts";
import type { Experience } from "./experience.ts";
import { createPpoGraph, differentiate, type PpoGraph } from "./ppo-graph.ts";
import { createValueHead } from "./value-head.ts";

const shape = { rank: 2, alpha: 4, targetModules: ["q_proj", "v_proj", "down_proj"], rankStabilized: false };
const random = seededRandom(5);
const around = (size: number, length: number) => Float32Array.from({ length }, () => size * (2 * random() - 1));

let folder: string;
let checkpoint: Checkpoint;
let graph: PpoGraph;
let policy: LoraAdapter;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "ppo-graph-"));
  writeSampleModel(folder);
  checkpoint = readCheckpoint(folder);
  policy = freshAdapter(checkpoint.architecture, shape, random);
  for (const { b } of policy.matrices.values()) b.set(around(0.1, b.length));
  // A clip range that no ratio reaches: the loss has no kinks for differences to fall over.
  graph = await createPpoGraph(checkpoint, shape, {
    ...fixedPpoSettings,
    ...defaultPpoSettings,
    threads: 1,
    clipRange: 0.999,
    entropyCoefficient: 0.3,
  });
});

afterEach(async () => {
  await graph.dispose();
  rmSync(folder, { recursive: true });
});

/** Replies whose old log-probs are near the policy's own. */
async function experiences(): Promise<Experience[]> {
  const rows = [3, 5, 1, 4].map((length, row): Experience => {
    const tokens = (count: number) => Array.from({ length: count }, () => Math.floor(24 * random()));
    return {
      reply: {
        id: `exchange ${row}`,
        exchange: null,
        promptTokens: tokens(2 + row),
        replyTokens: tokens(length),
        behaviourLogProbs: new Float32Array(length),
        temperature: row % 2 === 0 ? 1 : 0.7,
        reward: 0,
        ended: true,
      },
      oldLogProbs: new Float32Array(length),
      oldValues: new Float32Array(length),
      advantages: around(1, length),
      returns: around(1, length),
      importanceWeights: around(1, length).map(Math.abs),
      referenceKl: 0,
      sampledReferenceKl: 0,
    };
  });
  const head = createValueHead(checkpoint.architecture.hiddenSize);
  const { logProbs } = await graph.run(policy, head, rows, 13);
  return rows.map((row) => {
    return {
      ...row,
      oldLogProbs: (logProbs.get(row) ?? new Float32Array(0)).map((value) => value + 0.2 * (random() - 0.5)),
    };
  });
}

it("gives the gradient that central differences give, entropy and temperatures included", async () => {
  const head = createValueHead(checkpoint.architecture.hiddenSize);
  const rows = await experiences();
  const lossOf = async () => {
    const { policyLoss, entropy } = await graph.run(policy, head, rows, 13);
    return policyLoss - 0.3 * entropy;
  };
  const { loraGradients } = await graph.run(policy, head, rows, 13);
  const step = 1e-2;
  for (const [name, matrix] of matricesOf(policy)) {
    const direction = around(1, matrix.length);
    const length = Math.hypot(...direction);
    const move = (by: number) => {
      for (let i = 0; i < matrix.length; i++)
        matrix[i] = (matrix[i] as number) + (by * (direction[i] as number)) / length;
    };
    move(step);
    const after = await lossOf();
    move(-2 * step);
    const before = await lossOf();
    move(step);
    const gradient = loraGradients.get(name) ?? new Float32Array(0);
    const expected = gradient.reduce((sum, g, i) => sum + (g * (direction[i] as number)) / length, 0);
    expect((after - before) / (2 * step), name).toBeCloseTo(expected, 3);
  }
});

it("adds up to the same in one pass and in one pass a reply", async () => {
  const head = createValueHead(checkpoint.architecture.hiddenSize);
  const rows = await experiences();
  const whole = await differentiate(graph, { policy, head }, rows, 2048);
  const parts = await Promise.all(rows.map((row) => graph.run(policy, head, [row], whole.tokens)));
  const total = (pick: (pass: (typeof parts)[number]) => number) => parts.reduce((sum, pass) => sum + pick(pass), 0);
  expect(total(({ policyLoss }) => policyLoss)).toBeCloseTo(whole.policyLoss, 5);
  expect(total(({ valueLoss }) => valueLoss)).toBeCloseTo(whole.valueLoss, 5);
  for (const [name, gradient] of whole.loraGradients) {
    expect(total(({ loraGradients }) => loraGradients.get(name)?.[0] ?? Number.NaN)).toBeCloseTo(gradient[0] ?? 0, 5);
  }
});
