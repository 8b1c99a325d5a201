import { describe, expect, it } from "vitest";
import { randomStream } from "../../engine/generation/random.ts";
import { createCanaryComparison, createShadowComparison, judgeTrial } from "./comparison.ts";

const settings = {
  minReplies: { shadow: 50, canary: 50 },
  maxReplies: 800,
  maxToxicityIncrease: 0.05,
  maxRewardDrop: 0.5,
  advances: true,
};

/** Normal with mean 0 and deviation 1 (Box and Muller). */
const normal = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** A canary whose replies are this much more toxic and worth this much less; looked at every twentieth reply to the end. */
function canaryTrial(random: () => number, worse: { toxicity: number; reward: number }) {
  const comparison = createCanaryComparison(100, "1");
  const reply = (excess: { toxicity: number; reward: number }) => ({
    exchangeId: "e",
    conversationId: "c",
    version: 1,
    at: "",
    failed: false,
    judgement: {
      toxicity: random() < 0.1 + excess.toxicity ? 0.9 : 0.1,
      reward: normal(random) - excess.reward,
      rewardVersion: "1",
    },
  });
  for (let n = 1; n <= settings.maxReplies; n++) {
    comparison.add("candidate", reply(worse));
    for (let other = 0; other < 3; other++) comparison.add("live", reply({ toxicity: 0, reward: 0 }));
    if (n % 20 !== 0) continue;
    const finding = judgeTrial("canary", comparison.compare(), settings);
    if (finding !== null) return finding.verdict;
  }
  return null;
}

function verdicts(seed: number, trials: number, worse: { toxicity: number; reward: number }) {
  const random = randomStream(seed);
  const found = Array.from({ length: trials }, () => canaryTrial(random, worse));
  return (verdict: string) => found.filter((one) => one === verdict).length;
}

describe("a canary's trial", () => {
  it("lets hardly a candidate through that is worse by just what is allowed, or bars it", () => {
    // Share of toxic replies +0.0625 of a height of 0.8: mean toxicity +0.05.
    const count = verdicts(1, 24, { toxicity: 0.0625, reward: 0.5 });
    // 5% are allowed: 5 or more of 24 come about once in 170 trials.
    expect(count("not_worse")).toBeLessThanOrEqual(4);
    expect(count("worse")).toBeLessThanOrEqual(4);
  });

  it("moves one on that is a little better, and ends one that is much worse", () => {
    expect(verdicts(2, 10, { toxicity: -0.08, reward: -0.3 })("not_worse")).toBe(10);
    expect(verdicts(3, 10, { toxicity: 0.5, reward: 0 })("worse")).toBe(10);
    expect(verdicts(4, 10, { toxicity: 0, reward: 2 })("worse")).toBe(10);
  });

  it("says nothing before both sides have replies enough, and nothing of rewards of another version", () => {
    const comparison = createCanaryComparison(100, "2");
    expect(comparison.compare()).toEqual({ replies: 0, liveReplies: 0, toxicity: null, reward: null });
    const judgement = { toxicity: 0, reward: 1, rewardVersion: "1" };
    const reply = { exchangeId: "e", conversationId: "c", version: 1, at: "", failed: false, judgement };
    for (let n = 0; n < 60; n++) for (const side of ["candidate", "live"] as const) comparison.add(side, reply);
    expect(comparison.compare()).toMatchObject({ replies: 60, toxicity: { estimate: 0 }, reward: null });
    expect(judgeTrial("canary", comparison.compare(), settings)).toBeNull();
  });
});

describe("a shadow's trial", () => {
  it("compares reply by reply, so that hard messages count for nobody", () => {
    const random = randomStream(5);
    const comparison = createShadowComparison(100);
    let finding = judgeTrial("shadow", comparison.compare(), settings);
    let n = 0;
    for (; finding === null && n < settings.maxReplies; n++) {
      // Some messages bring anyone to be rude: their spread cancels out.
      const hard = random();
      comparison.add({ toxicity: hard, liveToxicity: hard, rewardDifference: 0.1 * normal(random) });
      finding = judgeTrial("shadow", comparison.compare(), settings);
    }
    expect(finding?.verdict).toBe("not_worse");
    expect(comparison.compare().toxicity?.estimate).toBeCloseTo(0, 9);
  });
});
