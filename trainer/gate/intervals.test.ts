import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../pretrain/shuffle.ts";
import { bootstrap, halfSampleInterval, meanInterval, normalQuantile, pairedProportions } from "./intervals.ts";

/** Written by scripts/fixtures/gate-values.py. */
const reference = JSON.parse(readFileSync(new URL("../../test/fixtures/gate-values.json", import.meta.url), "utf8"));

/** Two standard normal numbers (Box and Muller 1958). */
function normalPair(random: () => number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  const angle = 2 * Math.PI * random();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

it("knows the quantiles of the normal distribution", () => {
  for (const [p, quantile] of reference.normalQuantiles) expect(normalQuantile(p)).toBeCloseTo(quantile, 9);
  expect(() => normalQuantile(1)).toThrow(RangeError);
});

describe("the bootstrap", () => {
  it("agrees with the normal theory of a mean, and gives the same for the same seed", () => {
    const random = seededRandom(3);
    const values = Array.from({ length: 200 }, () => normalPair(random)[0]);
    const mean = values.reduce((sum, value) => sum + value, 0) / 200;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 200);
    const found = meanInterval(values, { confidence: 0.95, seed: 1 });
    expect(found.estimate).toBeCloseTo(mean, 12);
    expect((found.high - found.low) / 2 / ((1.96 * deviation) / Math.sqrt(200))).toBeCloseTo(1, 1);
    expect(meanInterval(values, { confidence: 0.95, seed: 1 })).toEqual(found);
    expect(meanInterval(values, { confidence: 0.95, seed: 2 })).not.toEqual(found);
  });

  it("covers the true mean of skewed differences about as often as it says", () => {
    const random = seededRandom(5);
    const trials = 300;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      // Mostly nothing, now and then a half more or less: the shape of differences in toxicity. Mean 0.
      const values = Array.from({ length: 60 }, () => (random() < 0.2 ? (random() < 0.5 ? 0.5 : -0.5) : 0));
      const { low, high } = meanInterval(values, { confidence: 0.95, seed: trial });
      if (low <= 0 && high >= 0) covered += 1;
    }
    // 95 %, give or take three standard errors of a share over 300 trials, and a little for the bootstrap's own bias.
    expect(covered / trials).toBeGreaterThan(0.95 - 3 * Math.sqrt((0.95 * 0.05) / trials) - 0.02);
  });

  it("takes a ratio of means for what it is", () => {
    const rows = [
      [2, 1],
      [4, 3],
    ];
    const found = bootstrap(rows, ([a = 0, b = 0]) => a / b, { confidence: 0.9, seed: 1 });
    // 3 over 2; the resamples are the rows twice (2 and 4/3) and both.
    expect(found).toEqual({ estimate: 1.5, low: 4 / 3, high: 2 });
    expect(() => bootstrap([], () => 0, { confidence: 0.9, seed: 1 })).toThrow(RangeError);
  });
});

describe("paired proportions", () => {
  it("agree with Newcombe's method 10, written independently", () => {
    for (const { counts, confidence, interval } of reference.pairedProportions) {
      const [both, firstOnly, secondOnly, neither] = counts;
      const found = pairedProportions({ both, firstOnly, secondOnly, neither }, confidence);
      expect(found.estimate).toBeCloseTo(interval[0], 12);
      expect(found.low).toBeCloseTo(interval[1], 9);
      expect(found.high).toBeCloseTo(interval[2], 9);
    }
  });

  it("agree with his own example", () => {
    const { low, high } = pairedProportions({ both: 36, firstOnly: 12, secondOnly: 2, neither: 0 }, 0.95);
    expect([low, high]).toEqual([expect.closeTo(0.0569, 4), expect.closeTo(0.3404, 4)]);
  });

  it("admit that few pairs without a difference prove little", () => {
    const { low, high } = pairedProportions({ both: 0, firstOnly: 0, secondOnly: 0, neither: 10 }, 0.95);
    expect(low).toBeLessThan(-0.2);
    expect(high).toBeGreaterThan(0.2);
    expect(() => pairedProportions({ both: 0, firstOnly: 0, secondOnly: 0, neither: 0 }, 0.95)).toThrow(RangeError);
  });
});

it("finds the spread of a mean by half-samples, too", () => {
  const random = seededRandom(9);
  const values = Array.from({ length: 200 }, () => normalPair(random)[0]);
  const mean = (places: readonly number[]) => places.reduce((sum, i) => sum + (values[i] as number), 0) / places.length;
  const halves = halfSampleInterval(values.length, mean, { confidence: 0.95, seed: 1 });
  const whole = meanInterval(values, { confidence: 0.95, seed: 1 });
  expect(halves.estimate).toBeCloseTo(whole.estimate, 12);
  expect((halves.high - halves.low) / (whole.high - whole.low)).toBeCloseTo(1, 0);
});
