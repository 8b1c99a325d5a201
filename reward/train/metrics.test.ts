import { expect, test } from "vitest";
import { areaUnderCurve, shareAbove } from "./metrics.ts";

test("the area is the share of pairs in order, ties counting half", () => {
  // Pairs: 3>2, 3>1, 1<2, 1=1: (1 + 1 + 0 + 0.5) / 4.
  expect(areaUnderCurve([3, 1], [2, 1])).toBe(0.625);
  expect(areaUnderCurve([2, 3], [0, 1])).toBe(1);
  expect(areaUnderCurve([0], [1, 2])).toBe(0);
  expect(areaUnderCurve([5, 5], [5])).toBe(0.5);
  expect(areaUnderCurve([], [1])).toBeNaN();
});

test("the share above a threshold leaves the threshold out", () => {
  expect(shareAbove([0, 1, 2, 3], 1)).toBe(0.5);
});
