import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { seededRandom } from "../pretrain/shuffle.ts";
import { effectiveSampleSize, offPolicyEstimate, truncatedWeights } from "./off-policy.ts";

/** Written by scripts/fixtures/gate-values.py. */
const reference = JSON.parse(readFileSync(new URL("../../test/fixtures/gate-values.json", import.meta.url), "utf8"));
const options = { confidence: 0.95, seed: 1 };

it("agrees with an independent implementation in estimate, truncation, sample size and spread", () => {
  for (const { logRatios, rewards, ...expected } of reference.importanceSampling) {
    const replies = logRatios.map((logRatio: number, i: number) => ({ logRatio, reward: rewards[i] }));
    const found = offPolicyEstimate(replies, options);
    expect(found?.estimate).toBeCloseTo(expected.estimate, 9);
    expect(found?.truncated).toBeCloseTo(expected.truncated, 9);
    expect(found?.effectiveSampleSize).toBeCloseTo(expected.effectiveSampleSize, 6);
    const half = ((found?.high ?? 0) - (found?.low ?? 0)) / 2;
    // The delta method's standard error against the bootstrap's.
    expect(half / (1.96 * expected.standardError)).toBeGreaterThan(0.85);
    expect(half / (1.96 * expected.standardError)).toBeLessThan(1.15);
  }
});

it("finds the true value of another policy on replies of three tokens, and covers it as often as it says", () => {
  // Two policies over three tokens; a reply's reward is how many of its tokens are the first.
  const behaviour = [0.5, 0.3, 0.2];
  const candidate = [0.6, 0.3, 0.1];
  const truth = 3 * 0.6;
  const random = seededRandom(11);
  const draw = () => {
    const u = random();
    return u < 0.5 ? 0 : u < 0.8 ? 1 : 2;
  };
  const trials = 120;
  let [covered, sum] = [0, 0];
  for (let trial = 0; trial < trials; trial++) {
    const replies = Array.from({ length: 150 }, () => {
      const tokens = [draw(), draw(), draw()];
      const logRatio = tokens.reduce(
        (total, token) => total + Math.log((candidate[token] as number) / (behaviour[token] as number)),
        0,
      );
      return { logRatio, reward: tokens.filter((token) => token === 0).length };
    });
    const found = offPolicyEstimate(replies, { confidence: 0.95, seed: trial });
    if (found === null) throw new Error("150 replies of a close policy are enough");
    expect(found.baseline).not.toBe(found.estimate);
    sum += found.estimate;
    if (found.low <= truth && truth <= found.high) covered += 1;
  }
  // Mean of 120 estimates whose standard error is about 0.09 each.
  expect(Math.abs(sum / trials - truth)).toBeLessThan(0.03);
  // 95 % less three standard errors of a share over 120 trials.
  expect(covered / trials).toBeGreaterThan(0.89);
});

it("says nothing where one reply decides, or where there are too few", () => {
  const alike = Array.from({ length: 100 }, (_, i) => ({ logRatio: 0, reward: i % 2 }));
  expect(offPolicyEstimate(alike, options)).toMatchObject({ estimate: 0.5, effectiveSampleSize: 100, n: 100 });
  const decided = alike.map((reply, i) => (i === 0 ? { ...reply, logRatio: 12 } : reply));
  expect(offPolicyEstimate(decided, options)).toBeNull();
  expect(offPolicyEstimate(alike.slice(0, 19), options)).toBeNull();
  expect(offPolicyEstimate([], options)).toBeNull();
});

it("weighs by hand", () => {
  // (1 + 3)^2 / (1 + 9)
  expect(effectiveSampleSize([1, 3])).toBeCloseTo(1.6, 12);
  // Cut at sqrt(4) times the mean 1.75
  expect(truncatedWeights([1, 1, 1, 4])).toEqual([1, 1, 1, 3.5]);
});
