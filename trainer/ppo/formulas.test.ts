import { describe, expect, it } from "vitest";
import { gradients } from "../../engine/graph/autodiff.ts";
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import { createSession, floats } from "../../engine/runtime/session.ts";
import recorded from "../../test/fixtures/ppo-values.json" with { type: "json" };
import { createAdamStates } from "../optimizer/lora-optimizer.ts";
import { generalizedAdvantages, whiten } from "./advantages.ts";
import type { Experience } from "./experience.ts";
import { importanceWeights, sequenceDistance } from "./importance-weights.ts";
import { nextKlCoefficient } from "./kl-controller.ts";
import { klEstimates } from "./kl-estimates.ts";
import { clippedValueLoss, policyLoss } from "./ppo-loss.ts";
import { explainedVariance, policyChange } from "./ppo-metrics.ts";
import { rewardScale, tokenRewards } from "./token-rewards.ts";
import { createValueHead, fitValueHead, predictValues } from "./value-head.ts";

const array = (values: Iterable<number>) => Float32Array.from(values);

function expectClose(actual: Iterable<number>, expected: readonly number[], digits = 5): void {
  const values = [...actual];
  expect(values).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(values[index]).toBeCloseTo(value, digits);
}

describe("advantages", () => {
  it.each(recorded.gae.cases)("agree with the double sum for gamma $gamma, lambda $lambda", (expected) => {
    const { rewards, values } = recorded.gae;
    const found = generalizedAdvantages(array(rewards), array(values), expected.gamma, expected.lambda);
    expectClose(found.advantages, expected.advantages);
    expectClose(found.returns, expected.returns);
  });

  it("are whitened over all tokens of a batch together", () => {
    const { input, output } = recorded.whiten;
    const found = whiten([array(input.slice(0, 2)), array(input.slice(2))], 0.1);
    expectClose(
      found.flatMap((part) => [...part]),
      output,
    );
  });

  it("are not stretched when they hardly differ", () => {
    const [first = [], second = []] = whiten([array([0.7, 0.7]), array([0.7])], 0.1);
    expectClose([...first, ...second], [0, 0, 0]);
    expectClose(whiten([array([0.01, -0.01])], 0.1)[0] ?? [], [0.1, -0.1]);
  });
});

describe("token rewards", () => {
  const options = { rewardScale: { mean: 1, deviation: 0.5 }, klCoefficient: 0.5, missingEndPenalty: 0.25 };
  const [old, reference] = [array([-1, -2, -3]), array([-2, -2, -1])];

  it("pay for the log-ratio to the reference, and earn the reply's reward at its last token", () => {
    expect([...tokenRewards({ reward: 2, ended: true }, old, reference, options)]).toEqual([-0.5, 0, 3]);
  });

  it("are less for a reply that never ended", () => {
    expect([...tokenRewards({ reward: 2, ended: false }, old, reference, options)]).toEqual([-0.5, 0, 2.75]);
  });
});

describe("the reward scale", () => {
  it("is the mean and the population's standard deviation", () => {
    expect(rewardScale([1, 5])).toEqual({ mean: 3, deviation: 2 });
  });
});

describe("the KL coefficient", () => {
  it("moves towards the target by at most a fifth in a horizon", () => {
    const controller = { target: 4, horizon: 100 };
    expect(nextKlCoefficient(0.5, 40, 10, controller)).toBeCloseTo(0.5 * 1.02, 12);
    expect(nextKlCoefficient(0.5, 0, 10, controller)).toBeCloseTo(0.5 * 0.98, 12);
    expect(nextKlCoefficient(0.5, 4.4, 10, controller)).toBeCloseTo(0.5 * 1.01, 12);
    expect(nextKlCoefficient(0.5, 4, 10, controller)).toBe(0.5);
  });
});

describe("KL estimates", () => {
  const { logP, logQ, tokens, k1, k3, exact } = recorded.kl;
  const of = (table: readonly number[]) => array(tokens.map((token) => table[token] as number));

  it("agree with PyTorch's and, a token, with the exact divergence", () => {
    const found = klEstimates(of(logP), of(logQ), 20);
    expect(found.k1).toBeCloseTo(k1, 2);
    expect(found.k3).toBeCloseTo(k3, 2);
    expect(found.k3 / tokens.length).toBeCloseTo(exact, 1);
  });

  it("survive a token that one of the two rules out", () => {
    const found = klEstimates(array([-1]), array([-500]), 20);
    expect(found.k1).toBe(20);
    expect(found.k3).toBeCloseTo(19, 6);
  });
});

describe("importance weights", () => {
  const options = { cap: 2, maxLogRatio: 20 };

  it("are old over behaviour, capped", () => {
    const found = importanceWeights(array([-1, -1, -1]), array([-1, -2, -0.5]), options);
    expectClose(found, [1, 2, Math.exp(-0.5)]);
  });

  it("stay finite for a token that the behaviour hardly allowed", () => {
    expect([...importanceWeights(array([-1]), array([-1e30]), options)]).toEqual([2]);
  });

  it("come with the mean distance of a reply", () => {
    expect(sequenceDistance(array([-1, -3]), array([-2, -1]))).toBe(1.5);
  });
});

/** Loss and its gradient by the input called `by`, all inputs being vectors of one length. */
async function differentiate(loss: (input: (name: string) => Tensor) => Tensor, by: string, feeds: object) {
  const inputs = new Map(Object.keys(feeds).map((name) => [name, ops.input(name, ["targets"])] as const));
  const expression = loss((name) => inputs.get(name) as Tensor);
  const [gradient] = gradients(expression, [inputs.get(by) as Tensor]) as [Tensor];
  const session = await createSession({ loss: expression, gradient }, { threads: 1 });
  const given = Object.entries(feeds).map(([name, values]: [string, number[]]) => {
    return [name, { data: array(values), shape: [values.length] }] as const;
  });
  const found = await session.run(Object.fromEntries(given));
  await session.dispose();
  return { loss: floats(found.loss)[0] as number, gradient: floats(found.gradient) };
}

describe("the losses", () => {
  it("of the policy agree with PyTorch, gradient included, on both sides of the clip range", async () => {
    const { logProbs, oldLogProbs, advantages, weights, clipRange, loss, gradient } = recorded.policy;
    const found = await differentiate(
      (input) =>
        policyLoss(
          {
            logProbs: input("logProbs"),
            oldLogProbs: input("oldLogProbs"),
            advantages: input("advantages"),
            weights: input("weights"),
          },
          { clipRange, maxLogRatio: 20 },
        ),
      "logProbs",
      { logProbs, oldLogProbs, advantages, weights },
    );
    expect(found.loss).toBeCloseTo(loss, 6);
    expectClose(found.gradient, gradient, 6);
  });

  it("of the values agree with PyTorch, gradient included, on both sides of the clip range", async () => {
    const { values, oldValues, returns, clipRange, loss, gradient } = recorded.value;
    const weights = values.map(() => 1 / values.length);
    const found = await differentiate(
      (input) =>
        clippedValueLoss(
          {
            values: input("values"),
            oldValues: input("oldValues"),
            returns: input("returns"),
            weights: input("weights"),
          },
          clipRange,
        ),
      "values",
      { values, oldValues, returns, weights },
    );
    expect(found.loss).toBeCloseTo(loss, 6);
    expectClose(found.gradient, gradient, 6);
  });
});

describe("the value head", () => {
  it("is fitted as PyTorch's AdamW fits a linear layer", async () => {
    const { hidden, returns, steps, weight, bias, values } = recorded.valueHead;
    const head = createValueHead(3);
    const targets = { hidden: array(hidden), returns: array(returns) };
    await fitValueHead(head, createAdamStates(head), targets, {
      steps,
      learningRate: 2e-4,
      threads: 1,
      maxGradientNorm: 100,
    });
    expectClose(head.get("weight") ?? [], weight, 6);
    expectClose(head.get("bias") ?? [], bias, 6);
    expectClose(predictValues(head, array(hidden)), values, 6);
  });
});

describe("metrics", () => {
  it("give the explained variance, and 0 where there is nothing to explain", () => {
    const { oldValues, returns, explainedVariance: expected } = recorded.value;
    expect(explainedVariance(oldValues, returns)).toBeCloseTo(expected, 6);
    expect(explainedVariance([1, 2], [3, 3])).toBe(0);
  });

  it("measure how far the policy has moved", () => {
    const { logProbs, oldLogProbs, clipRange, clipFraction, ratioMean, ratioMax } = recorded.policy;
    const experience = { oldLogProbs: array(oldLogProbs) } as Experience;
    const current = new Map([[experience, array(logProbs)]]);
    const found = policyChange([experience], { logProbs: current }, { clipRange, maxLogRatio: 20 });
    expect(found.clipFraction).toBeCloseTo(clipFraction, 6);
    expect(found.ratioMean).toBeCloseTo(ratioMean, 6);
    expect(found.ratioMax).toBeCloseTo(ratioMax, 6);
  });
});
