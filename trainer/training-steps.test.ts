/** Whole optimizer steps, from sequences to changed matrices, beside those of PyTorch and PEFT. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tinyCheckpoint, tinyLlamaFolder } from "../engine/architectures/tiny-llama-fixture.ts";
import { openSafetensors, readTensor } from "../engine/checkpoint/safetensors.ts";
import type { LoraAdapter } from "../engine/lora/adapter.ts";
import { readPeftAdapter } from "../engine/lora/peft.ts";
import recorded from "../test/fixtures/training-steps.json" with { type: "json" };
import { matricesOf } from "./lora-graph.ts";
import { learningRateFactor } from "./optimizer/schedule.ts";
import { defaultPpoSettings } from "./ppo/default-settings.ts";
import { toExperience } from "./ppo/experience.ts";
import { createLearner, improve } from "./ppo/learner.ts";
import { createPolicyScorer } from "./ppo/policy-scorer.ts";
import { createPpoGraph, differentiate } from "./ppo/ppo-graph.ts";
import { policyChange } from "./ppo/ppo-metrics.ts";
import type { Rollout } from "./ppo/rollout.ts";
import { rewardScale } from "./ppo/token-rewards.ts";
import type { PpoSettings, SftSettings } from "./settings.ts";
import { fineTune, type SftReport } from "./sft/fine-tune.ts";

const base = tinyCheckpoint("untied");
const folder = mkdtempSync(join(tmpdir(), "training-steps-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fixtureAdapter = () => readPeftAdapter(join(tinyLlamaFolder, "untied", "lora"), base.architecture);
const after = openSafetensors(join(import.meta.dirname, "..", "test", "fixtures", "training-steps.safetensors"));

function expectClose(actual: Iterable<number>, expected: readonly number[], digits = 4): void {
  const values = [...actual];
  expect(values).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(values[index]).toBeCloseTo(value, digits);
}

/** Every matrix has moved as PyTorch moved it: the difference is small against how far the furthest weight went. */
function expectMoved(adapter: LoraAdapter, algorithm: "ppo" | "sft", tolerance: number): void {
  const before = matricesOf(fixtureAdapter());
  for (const [name, matrix] of matricesOf(adapter)) {
    const module = name.slice(0, -2);
    const tensor = `${algorithm}.base_model.model.${module}.lora_${name.endsWith("a") ? "A" : "B"}.weight`;
    const expected = readTensor(after, tensor);
    const start = before.get(name) ?? new Float32Array(0);
    const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const moved = largest(expected.map((value, i) => value - (start[i] as number)));
    const apart = largest(expected.map((value, i) => value - (matrix[i] as number)));
    expect(moved, name).toBeGreaterThan(0);
    expect(apart / moved, name).toBeLessThan(tolerance);
  }
}

describe("PPO, beside PyTorch and PEFT", () => {
  const { settings: given, rows, head, experience: expected, steps } = recorded.ppo;
  const settings = { ...defaultPpoSettings, ...(given as Partial<PpoSettings>) };
  const rollouts = rows.map((row, index): Rollout => {
    return { ...row, id: `row ${index}`, exchange: null, behaviourLogProbs: Float32Array.from(row.behaviourLogProbs) };
  });
  const policy = fixtureAdapter();
  const reference = fixtureAdapter();
  for (const { b } of reference.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = 0.5 * (b[i] as number);
  const learner = createLearner(policy, base.architecture.hiddenSize);
  learner.head.get("weight")?.set(head.weight);
  learner.head.get("bias")?.set(head.bias);

  it("makes the same of the replies, and moves policy and value head by the same steps", async () => {
    const scorer = await createPolicyScorer(base, reference, { threads: 1 });
    const old = await scorer.score(learner.policy, rollouts);
    const scored = rollouts.map((reply, row) => ({ reply, old: old[row] as (typeof old)[number] }));
    const options = {
      ...settings,
      maxLogRatio: given.maxLogRatio,
      leastDeviation: 0,
      rewardScale: rewardScale(rows.map(({ reward }) => reward)),
    };
    const experiences = toExperience(scored, learner.head, options);
    for (const [row, found] of experiences.entries()) {
      const wanted = expected[row] as (typeof expected)[number];
      expectClose(found.oldLogProbs, wanted.old);
      expectClose(found.oldValues, wanted.values);
      expectClose(found.advantages, wanted.advantages);
      expectClose(found.returns, wanted.returns);
      expectClose(found.importanceWeights, wanted.weights);
      expectClose([found.referenceKl, found.sampledReferenceKl], [...wanted.kl, ...wanted.sampledKl], 3);
    }

    const graph = await createPpoGraph(base, policy.shape, { ...options, threads: 1 });
    const counts = { updates: 0, valueUpdates: 0 };
    for (const [step, wanted] of steps.entries()) {
      // Passes of ten tokens: a step is accumulated over several.
      const pass = await differentiate(graph, learner, experiences, 10);
      expectClose(
        [pass.policyLoss, pass.valueLoss, pass.entropy, policyChange(experiences, pass, options).approxKl],
        [wanted.policyLoss, wanted.valueLoss, wanted.entropy, wanted.approxKl],
      );
      const factor = learningRateFactor(step, recorded.plannedSteps, settings.warmupSteps, settings.decay);
      const norm = improve(learner, pass, counts, settings.learningRate * factor, settings);
      expect(norm / wanted.gradientNorm).toBeCloseTo(1, 3);
    }
    await Promise.all([scorer.dispose(), graph.dispose()]);
    expectMoved(learner.policy, "ppo", 0.001);
    expectClose(learner.head.get("weight") ?? [], [...readTensor(after, "ppo.value.weight")], 5);
    expectClose(learner.head.get("bias") ?? [], [...readTensor(after, "ppo.value.bias")], 5);
  });
});

describe("fine-tuning, beside PyTorch and PEFT", () => {
  it("reports the same losses and norms, and moves the adapter by the same steps", async () => {
    const { settings, rows, steps } = recorded.sft;
    const adapter = fixtureAdapter();
    const reports: SftReport[] = [];
    await fineTune({
      ...(settings as Pick<SftSettings, keyof typeof settings>),
      base,
      adapter,
      train: rows,
      validation: rows,
      outDir: folder,
      epochs: recorded.plannedSteps,
      tokensPerStep: 1000,
      maxTokensPerPass: 15,
      gradients: "exact",
      stepsBetweenEvaluations: 100,
      seed: 1,
      threads: 1,
      origin: { name: "sample", version: 1, parent: null, run: "test" },
      onStep: (report) => reports.push(report),
    });
    expect(reports).toHaveLength(steps.length);
    for (const [step, wanted] of steps.entries()) {
      expect(reports[step]?.loss).toBeCloseTo(wanted.loss, 4);
      expect((reports[step]?.gradientNorm ?? 0) / wanted.gradientNorm).toBeCloseTo(1, 3);
    }
    expectMoved(adapter, "sft", 0.001);
  });
});
