import { describe, expect, it } from "vitest";
import { maxProbeDifference, meanAbsoluteDifference } from "./probe.ts";

it("averages the distances of served and trained log-probs", () => {
  // (0.5 + 0 + 0.25) / 3
  expect(meanAbsoluteDifference([-1, -2, -3], [-1.5, -2, -2.75])).toBeCloseTo(0.25, 12);
});

it("is not a number when a served log-prob is not, so that no comparison calls it small", () => {
  expect(meanAbsoluteDifference([-1, Number.NaN], [-1, -1]) <= 0.02).toBe(false);
});

it("refuses lists that do not line up", () => {
  expect(() => meanAbsoluteDifference([-1], [-1, -2])).toThrow("Expected 2 log-probs");
  expect(() => meanAbsoluteDifference([], [])).toThrow(RangeError);
});

describe("maxProbeDifference", () => {
  it("is strict in one precision, and as wide as the coarser of two", () => {
    expect(maxProbeDifference("none", "none")).toBe(0.02);
    expect(maxProbeDifference("int8", "int8")).toBe(0.1);
    expect(maxProbeDifference("none", "int8")).toBe(0.2);
    expect(maxProbeDifference("int4", "int8")).toBe(0.8);
  });
});
