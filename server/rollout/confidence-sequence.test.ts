import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../engine/generation/random.ts";
import { addValue, asymptoticSequence, noMoments } from "./asymptotic-sequence.ts";
import { evidenceAbove, lowerBound, upperBound } from "./confidence-sequence.ts";
import { binaryTally, createUnitTally } from "./unit-tally.ts";

interface References {
  bounded: {
    values: number[];
    evidence: { mean: number; above: number }[];
    alpha: number;
    low: number;
    high: number;
  }[];
  unbounded: { values: number[]; alpha: number; planned: number; low: number; high: number }[];
}

/** Made by scripts/fixtures/confidence-sequences.py. */
const references: References = JSON.parse(
  readFileSync(new URL("../../test/fixtures/confidence-sequences.json", import.meta.url), "utf8"),
);

describe("the betting confidence sequence", () => {
  it.each(references.bounded)(
    "agrees with confseq on $values.length values",
    ({ values, evidence, alpha, low, high }) => {
      const tally = createUnitTally(values);
      for (const { mean, above } of evidence) expect(evidenceAbove(tally, mean)).toBeCloseTo(above, 6);
      expect(lowerBound(tally, alpha)).toBeCloseTo(low, 5);
      expect(upperBound(tally, alpha)).toBeCloseTo(high, 5);
    },
  );

  it("says nothing of no values, and errs on the safe side between the steps of its grid", () => {
    expect(lowerBound(createUnitTally(), 0.05)).toBe(0);
    expect(upperBound(createUnitTally(), 0.05)).toBe(1);
    const between = createUnitTally(new Array(500).fill(0.205));
    expect(lowerBound(between, 0.05)).toBeLessThan(lowerBound(createUnitTally(new Array(500).fill(0.21)), 0.05));
    expect(lowerBound(between, 0.05)).toBe(lowerBound(createUnitTally(new Array(500).fill(0.2)), 0.05));
    expect(upperBound(between, 0.05)).toBe(upperBound(createUnitTally(new Array(500).fill(0.21)), 0.05));
    expect(() => createUnitTally([1.01])).toThrow("Expected a value in 0..1, got 1.01");
  });

  it("does not depend on the order of values", () => {
    const values = references.bounded[0]?.values ?? [];
    expect(evidenceAbove(createUnitTally(values.toReversed()), 0.3)).toBe(evidenceAbove(createUnitTally(values), 0.3));
  });

  const alpha = 0.05;
  const runs = 150;
  const looks = 400;

  /** Share of runs in which an alarm went off at any of the looks, one after each value. */
  function alarms(seed: number, value: (random: () => number) => number, isAlarm: (values: number[]) => boolean) {
    const random = randomStream(seed);
    let raised = 0;
    for (let run = 0; run < runs; run++) {
      const values: number[] = [];
      for (let look = 0; look < looks; look++) {
        values.push(value(random));
        if (!isAlarm(values)) continue;
        raised += 1;
        break;
      }
    }
    return raised / runs;
  }

  /** The same without a new tally for each look. */
  function bettingAlarms(seed: number, mean: number, value: (random: () => number) => number): number {
    let tally = createUnitTally();
    return alarms(seed, value, (values) => {
      if (values.length === 1) tally = createUnitTally();
      tally.add(values.at(-1) ?? 0);
      return evidenceAbove(tally, mean) >= Math.log(1 / alpha);
    });
  }

  it("keeps the rate of false alarms although it is looked at after every value", () => {
    expect(bettingAlarms(1, 0.1, (random) => (random() < 0.1 ? 1 : 0))).toBeLessThanOrEqual(alpha);
    // Uniform on 0..0.4, moved to the grid: a mean of 0.2.
    expect(bettingAlarms(2, 0.2, (random) => Math.floor(random() * 41) / 100)).toBeLessThanOrEqual(alpha);
  });

  it("does so where the test for one look fails", () => {
    const zTest = alarms(
      1,
      (random) => (random() < 0.1 ? 1 : 0),
      (values) => {
        const n = values.length;
        const rate = values.reduce((sum, value) => sum + value, 0) / n;
        return n >= 20 && rate - 0.1 > 1.645 * Math.sqrt((0.1 * 0.9) / n);
      },
    );
    expect(zTest).toBeGreaterThan(3 * alpha);
  });

  it("finds a rate of a half within 30 values where a tenth is allowed, by the numbers", () => {
    // ln K is at least n KL(1/2 || 1/10) - ln(bets): 30 * 0.511 - 2.2 = 13, less what the nearest bet falls short.
    expect(evidenceAbove(binaryTally(30, 15), 0.1)).toBeGreaterThan(10);
    expect(evidenceAbove(binaryTally(30, 3), 0.1)).toBeLessThan(0);
  });
});

describe("the asymptotic confidence sequence", () => {
  it.each(references.unbounded)("agrees with the mixture's integral on $values.length values", (reference) => {
    const moments = reference.values.reduce(addValue, noMoments);
    const { estimate, low, high } = asymptoticSequence(moments, reference.alpha, reference.planned);
    expect(estimate).toBeCloseTo(reference.values.reduce((sum, value) => sum + value, 0) / reference.values.length, 9);
    expect(low).toBeCloseTo(reference.low, 5);
    expect(high).toBeCloseTo(reference.high, 5);
  });

  it("has no bounds before the second value", () => {
    expect(asymptoticSequence(addValue(noMoments, 3), 0.05, 100)).toEqual({
      estimate: 3,
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
    });
  });

  it("holds at all looks from the hundredth value on, for skewed values too", () => {
    const random = randomStream(3);
    let missed = 0;
    const runs = 300;
    for (let run = 0; run < runs; run++) {
      let moments = noMoments;
      for (let n = 1; n <= 1000; n++) {
        moments = addValue(moments, -Math.log(1 - random()));
        if (n < 100) continue;
        const { low, high } = asymptoticSequence(moments, 0.05, 100);
        if (low <= 1 && 1 <= high) continue;
        missed += 1;
        break;
      }
    }
    expect(missed / runs).toBeLessThanOrEqual(0.05);
  });
});
