import { expect, test } from "vitest";
import { correlation, residuals } from "./agreement.ts";

test("scores that rise together correlate by 1, against each other by -1", () => {
  expect(correlation([1, 2, 4], [3, 5, 9])).toBeCloseTo(1);
  expect(correlation([1, 2, 4], [-3, -5, -9])).toBeCloseTo(-1);
  // Deviations (-1, 0, 1) and (-1, 2, -1): no common part.
  expect(correlation([1, 2, 3], [0, 3, 0])).toBeCloseTo(0);
});

test("what follows the truth linearly is no residual", () => {
  for (const left of residuals([1, 3, 7], [0, 1, 3])) expect(left).toBeCloseTo(0);
  // Deviations of the truth are (-1, 0, 1): slope 1, so what is left of (1, -2, 3) less its mean 2/3 is this.
  const [first, second, third] = residuals([1, -2, 3], [4, 5, 6]);
  expect([first, second, third].map((x) => Number(x?.toFixed(4)))).toEqual([1.3333, -2.6667, 1.3333]);
});
