import { describe, expect, it } from "vitest";
import { randomStream, xoshiro128 } from "./random.ts";

describe("xoshiro128", () => {
  it("gives the numbers of the reference implementation", () => {
    // From the tests of the Rust crate rand_xoshiro, which took them from the authors' C code.
    const next = xoshiro128(Uint32Array.of(1, 2, 3, 4));
    expect(Array.from({ length: 10 }, next)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
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

  it("is uniform over [0, 1)", () => {
    const random = randomStream(3);
    const values = Array.from({ length: 20_000 }, random);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    // Four standard errors of sqrt(1/12) / sqrt(20,000).
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.0082);
  });
});
