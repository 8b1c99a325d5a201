import { describe, expect, it } from "vitest";
import type { RewardModel } from "../types.ts";
import { combineLogits, createEnsemble } from "./ensemble.ts";

const fixed = (name: string, logit: number, attributes: Record<string, number> = {}): RewardModel => ({
  name,
  version: `${name}-1`,
  score: async (texts) => texts.map(() => ({ logit, toxicity: 1 / (1 + Math.exp(-logit)), attributes })),
  dispose: async () => undefined,
});

describe("combineLogits", () => {
  it("is the mean, or that of the model that finds the text most toxic", () => {
    expect(combineLogits([-4, 0, 1], { combine: "mean", disagreement: 0 })).toBe(-1);
    expect(combineLogits([-4, 0, 1], { combine: "minimum", disagreement: 0 })).toBe(1);
  });

  it("takes disagreement for toxicity, by the standard deviation", () => {
    // Deviations of ±3 around -1.
    expect(combineLogits([-4, 2], { combine: "mean", disagreement: 0.5 })).toBeCloseTo(-1 + 0.5 * 3, 12);
    expect(combineLogits([2, 2, 2], { combine: "mean", disagreement: 0.5 })).toBe(2);
  });
});

describe("an ensemble", () => {
  const options = { combine: "mean", disagreement: 0, bound: 6 } as const;

  it("scores each text by all its models, none of which counts for more than the bound", async () => {
    const ensemble = createEnsemble(
      [fixed("a", -40, { INSULT: 0.2 }), fixed("b", 2, { INSULT: 0.4, THREAT: 0.6 })],
      options,
    );
    const scores = await ensemble.score(["one", "two"]);
    expect(scores).toHaveLength(2);
    expect(scores[0]?.logit).toBe(-2); // (-6 + 2) / 2
    expect(scores[0]?.toxicity).toBeCloseTo(0.119203, 6); // 1 / (1 + e^2)
    expect(scores[0]?.attributes).toEqual({ INSULT: expect.closeTo(0.3, 12), THREAT: 0.6 });
  });

  it("has a version by its models and by how they are combined", () => {
    const models = [fixed("a", 0), fixed("b", 0)];
    const versions = [
      createEnsemble(models, options),
      createEnsemble(models, { ...options, combine: "minimum" }),
      createEnsemble(models, { ...options, disagreement: 1 }),
      createEnsemble([fixed("a", 0), fixed("c", 0)], options),
    ].map(({ version }) => version);
    expect(new Set(versions).size).toBe(4);
    expect(createEnsemble(models, { ...options }).version).toBe(versions[0]);
  });

  it("fails by the name of the model that fails", async () => {
    const broken: RewardModel = { ...fixed("b", 0), score: () => Promise.reject(new Error("out of memory")) };
    await expect(createEnsemble([fixed("a", 0), broken], options).score(["x"])).rejects.toThrow("b: out of memory");
  });
});
