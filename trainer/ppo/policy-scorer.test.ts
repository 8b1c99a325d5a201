import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Checkpoint, readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { freshAdapter, type LoraAdapter } from "../../engine/lora/adapter.ts";
import { createLoraScorer } from "../lora-scorer.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { sampleModelSize, writeSampleModel } from "../sample-model.ts";
import { createPolicyScorer } from "./policy-scorer.ts";

const shape = { rank: 2, alpha: 4, targetModules: ["q_proj", "o_proj"], rankStabilized: false };

let folder: string;
let checkpoint: Checkpoint;
let policy: LoraAdapter;
let reference: LoraAdapter;

function changedAdapter(seed: number): LoraAdapter {
  const random = seededRandom(seed);
  const adapter = freshAdapter(checkpoint.architecture, shape, random);
  for (const { b } of adapter.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = 0.5 * (random() - 0.5);
  return adapter;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "policy-scorer-"));
  writeSampleModel(folder);
  checkpoint = readCheckpoint(folder);
  [policy, reference] = [changedAdapter(1), changedAdapter(2)];
});

afterEach(() => rmSync(folder, { recursive: true }));

it("gives both policies' log-probs, and the KL that a sum over every possible token gives", async () => {
  const promptTokens = [1, 5, 2];
  const temperature = 0.7;
  // Every token in turn as the reply, so that the two distributions are known in full.
  const sequences = Array.from({ length: sampleModelSize.vocabulary }, (_, token) => {
    return { promptTokens, replyTokens: [token], temperature };
  });
  const single = await createLoraScorer(checkpoint, shape, { threads: 1 });
  const logProbsOf = async (adapter: LoraAdapter) =>
    (await single.score(adapter, sequences)).map(({ logProbs }) => logProbs[0] as number);
  const [logP, logQ] = [await logProbsOf(policy), await logProbsOf(reference)];
  const exact = logP.reduce((sum, p, token) => sum + Math.exp(p) * (p - (logQ[token] as number)), 0);

  const scorer = await createPolicyScorer(checkpoint, reference, { threads: 1 });
  const scores = await scorer.score(policy, sequences);
  for (const [token, { logProbs, referenceLogProbs, referenceKl }] of scores.entries()) {
    expect(logProbs[0]).toBeCloseTo(logP[token] as number, 5);
    expect(referenceLogProbs[0]).toBeCloseTo(logQ[token] as number, 5);
    expect(referenceKl[0]).toBeCloseTo(exact, 5);
  }
  expect(exact).toBeGreaterThan(0.001);
  await Promise.all([single.dispose(), scorer.dispose()]);
});
