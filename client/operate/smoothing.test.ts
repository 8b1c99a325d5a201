import fc from "fast-check";
import { expect, it } from "vitest";
import { type CurvePoint, smooth } from "./smoothing.ts";

it("weighs the past as worked out by hand", () => {
  const raw: CurvePoint[] = [
    [1, 1],
    [2, 3],
    [5, 3],
  ];
  const values = smooth(raw, 0.5).map(([, value]) => value);
  // 1; (0.5 * 1 + 3) / 1.5; (0.25 * 1 + 0.5 * 3 + 3) / 1.75
  expect(values).toEqual([1, expect.closeTo(3.5 / 1.5, 12), expect.closeTo(4.75 / 1.75, 12)]);
  expect(smooth(raw, 0.5).map(([step]) => step)).toEqual([1, 2, 5]);
});

it("leaves a curve alone at weight 0, and a constant curve at every weight", () => {
  const raw: CurvePoint[] = [
    [0, -2],
    [1, 7],
  ];
  expect(smooth(raw, 0)).toEqual(raw);
  const constant = fc.tuple(
    fc.double({ min: -100, max: 100, noNaN: true }),
    fc.double({ min: 0, max: 0.99, noNaN: true }),
  );
  fc.assert(
    fc.property(constant, ([level, weight]) => {
      const flat: CurvePoint[] = Array.from({ length: 20 }, (_, step) => [step, level]);
      for (const [, value] of smooth(flat, weight)) expect(value === level).toBe(true);
    }),
  );
});
