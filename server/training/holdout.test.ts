import { expect, it } from "vitest";
import { isHeldOut } from "./holdout.ts";

const ids = Array.from({ length: 5000 }, (_, i) => `conversation ${i}`);

it("holds out the share asked for, and the same conversations every time", () => {
  const held = ids.filter((id) => isHeldOut(id, 0.1));
  // A tenth of 5000, give or take four standard deviations of 21.
  expect(Math.abs(held.length - 500)).toBeLessThan(85);
  expect(ids.filter((id) => isHeldOut(id, 0.1))).toEqual(held);
});

it("only adds conversations when the share grows", () => {
  const more = new Set(ids.filter((id) => isHeldOut(id, 0.3)));
  for (const id of ids.filter((each) => isHeldOut(each, 0.1))) expect(more.has(id)).toBe(true);
  expect(ids.some((id) => isHeldOut(id, 0))).toBe(false);
});
