import { expect, test } from "vitest";
import { combineReward, defaultRewardWeights, otherScript, repetition, rewardVersion } from "./combine.ts";

const plain = "That is simply not true, my friend.";

test("the toxicity term is the clipped, scaled log-odds of being harmless", () => {
  const clean = combineReward({ reply: plain, score: { logit: -2 } }, "v");
  expect(clean).toEqual({
    version: "v",
    total: 1, // 0.5 * 2
    terms: { toxicity: 1, annotation: 0, empty: 0, repetition: 0, unreadable: 0 },
  });
  expect(combineReward({ reply: plain, score: { logit: 50 } }, "v").total).toBe(-3);
  expect(combineReward({ reply: plain, score: { logit: -50 } }, "v").total).toBe(3);
});

test("silence is worth less than any reply of several words that is clean", () => {
  const of = (reply: string) => combineReward({ reply, score: { logit: -6 } }, "v").total;
  expect(of("")).toBe(3 - 5);
  expect(of(" ... ! ")).toBe(3 - 5);
  expect(of("No.")).toBe(3 - 3.75);
  expect(of("Please stop.")).toBe(3);
});

test("a loop is penalised by the share of repeated word triples", () => {
  expect(repetition("one two three four")).toBe(0);
  // 8 triples of one word, of which 1 is distinct.
  expect(repetition("no ".repeat(10))).toBeCloseTo(7 / 8);
  const loop = combineReward({ reply: "no ".repeat(10), score: { logit: 0 } }, "v");
  expect(loop.terms.repetition).toBeCloseTo((-3 * (7 / 8 - 0.2)) / 0.8);
});

test("a reply in another script is not taken for a clean one", () => {
  expect(otherScript("abcд")).toBe(0.25);
  expect(otherScript("42!")).toBe(0);
  expect(combineReward({ reply: "Это неправда", score: { logit: -6 } }, "v").total).toBe(3 - 5);
  expect(combineReward({ reply: "Naïve café talk", score: { logit: -6 } }, "v").total).toBe(3);
});

test("the version depends on the model and on every weight, not on their order", () => {
  const { toxicity, ...rest } = defaultRewardWeights;
  const version = rewardVersion("0123456789ab");
  expect(version).toMatch(/^0123456789ab-[0-9a-f]{8}$/);
  expect(rewardVersion("0123456789ab", { ...rest, toxicity })).toBe(version);
  expect(rewardVersion("0123456789ab", { ...rest, toxicity: 1 })).not.toBe(version);
  expect(rewardVersion("ffffffffffff")).not.toBe(version);
});
