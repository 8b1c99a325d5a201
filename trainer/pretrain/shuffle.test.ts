import { describe, expect, it } from "vitest";
import { seededRandom, shuffled } from "./shuffle.ts";

describe("seededRandom", () => {
  it("is Mulberry32", () => {
    // Worked out with Python's unbounded integers from Tommy Ettinger's definition.
    const take = (seed: number) => {
      const random = seededRandom(seed);
      return [random(), random(), random()].map((value) => value * 2 ** 32);
    };
    expect(take(1)).toEqual([2693262067, 11749833, 2265367787]);
    expect(take(123456)).toEqual([1642107918, 3424218114, 4280064779]);
  });
});

describe("shuffled", () => {
  it("keeps every item, leaves the list alone and depends on the seed alone", () => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    const result = shuffled(items, 9);
    expect(items[0]).toBe(0);
    expect(result).not.toEqual(items);
    expect(result.toSorted((a, b) => a - b)).toEqual(items);
    expect(shuffled(items, 9)).toEqual(result);
    expect(shuffled(items, 10)).not.toEqual(result);
  });

  it("gives every order its turn", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = shuffled(["a", "b", "c"], seed).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    // Six orders, 1,000 each; five standard deviations are 144.
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(144);
  });

  it("takes lists of none and of one", () => {
    expect(shuffled([], 1)).toEqual([]);
    expect(shuffled(["only"], 1)).toEqual(["only"]);
  });
});
