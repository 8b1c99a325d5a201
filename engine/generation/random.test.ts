import { describe, expect, it } from "vitest";
import { randomStream, splitmix64, xoshiro128 } from "./random.ts";

describe("xoshiro128", () => {
  it("gives the numbers of the reference implementation", () => {
    // From the tests of the Rust crate rand_xoshiro, which took them from the authors' C code.
    const next = xoshiro128(Uint32Array.of(1, 2, 3, 4));
    expect(Array.from({ length: 10 }, next)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });
});

describe("splitmix64", () => {
  it("gives the published numbers", () => {
    // The example of Rosetta Code's task "Pseudo-random numbers/Splitmix64".
    const next = splitmix64(1234567n);
    expect(Array.from({ length: 5 }, next)).toEqual([
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
      4593380528125082431n,
      16408922859458223821n,
    ]);
  });
});

describe("randomStream", () => {
  it("repeats itself for the same seed and differs for any other, however large or negative", () => {
    const seeds = [0, 1, -1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    const beginnings = seeds.map((seed) => randomStream(seed)());
    expect(seeds.map((seed) => randomStream(seed)())).toEqual(beginnings);
    expect(new Set(beginnings).size).toBe(seeds.length);
  });

  // Replies begin with the first number of their stream, and seeds are often counted up.
  it.each([
    ["neighbouring", 1],
    ["distant", 2 ** 32],
  ])(
    "begins the streams of %s seeds with numbers that are uniform and have nothing to do with each other",
    (_, apart) => {
      const streams = 10_000;
      const firsts = Array.from({ length: streams }, (_, index) => randomStream(index * apart)());
      const tenths = new Array<number>(10).fill(0);
      for (const first of firsts) tenths[Math.floor(first * 10)] = (tenths[Math.floor(first * 10)] as number) + 1;
      const expected = streams / 10;
      const chiSquared = tenths.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      // 99.9% of samples of nine degrees of freedom lie below.
      expect(chiSquared).toBeLessThan(27.9);
      const covariance = firsts
        .slice(1)
        .reduce((sum, first, i) => sum + (first - 0.5) * ((firsts[i] as number) - 0.5), 0);
      // Four standard errors of the correlation of neighbours.
      expect(Math.abs((covariance / streams) * 12)).toBeLessThan(0.04);
    },
  );

  it("is uniform over [0, 1)", () => {
    const random = randomStream(3);
    const values = Array.from({ length: 20_000 }, random);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    // Four standard errors of sqrt(1/12) / sqrt(20,000).
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.0082);
  });
});
