import { expect, test } from "vitest";
import { fitPlatt } from "./calibrate.ts";

const point = (raw: number, target: number, weight = 1) => ({ raw, target, weight });

test("two groups are fitted exactly: their log-odds determine scale and offset", () => {
  // Shares 0.2 at raw -1 and 0.8 at raw 3: log-odds -ln 4 and ln 4, so scale = ln 4 / 2 and offset = -ln 4 / 2.
  const { scale, offset } = fitPlatt([point(-1, 0.2), point(3, 0.8)]);
  expect(scale).toBeCloseTo(Math.log(4) / 2, 4);
  expect(offset).toBeCloseTo(-Math.log(4) / 2, 4);
});

test("a weight counts as so many points", () => {
  const weighted = fitPlatt([point(0, 1, 3), point(0, 0), point(1, 1), point(1, 0)]);
  const repeated = fitPlatt([point(0, 1), point(0, 1), point(0, 1), point(0, 0), point(1, 1), point(1, 0)]);
  expect(weighted.scale).toBeCloseTo(repeated.scale, 6);
  expect(weighted.offset).toBeCloseTo(Math.log(3), 4);
});
