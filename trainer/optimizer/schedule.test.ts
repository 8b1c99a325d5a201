import { describe, expect, it } from "vitest";
import { learningRateFactor } from "./schedule.ts";

describe("learningRateFactor", () => {
  const factors = (decay: "linear" | "cosine" | "constant", steps: number[]) =>
    steps.map((step) => learningRateFactor(step, 100, 20, decay));

  it("rises in a line over the warm-up", () => {
    expect(factors("cosine", [0, 9, 19])).toEqual([0.05, 0.5, 1]);
  });

  it("falls to zero in a line, along half a cosine, or not at all", () => {
    expect(factors("linear", [20, 40, 60, 100])).toEqual([1, 0.75, 0.5, 0]);
    expect(factors("constant", [20, 60, 100])).toEqual([1, 1, 1]);
    const [begin, third, middle, end] = factors("cosine", [20, 20 + 80 / 3, 60, 100]);
    expect([begin, end]).toEqual([1, 0]);
    expect(third).toBeCloseTo(0.75, 12);
    expect(middle).toBeCloseTo(0.5, 12);
  });

  it("needs no warm-up", () => {
    expect(learningRateFactor(0, 10, 0, "linear")).toBe(1);
  });
});
