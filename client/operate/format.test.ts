import { expect, it } from "vitest";
import { compactCount, metricValue } from "./format.ts";

it("writes counts short", () => {
  expect([999, 12_600_000, 1_100_000_000].map(compactCount)).toEqual(["999", "12.6M", "1.1B"]);
});

it("writes metrics to three significant digits", () => {
  const shown = [0, 0.123456, -2.5, 41.987, 1234.5, 0.00001234].map(metricValue);
  expect(shown).toEqual(["0", "0.123", "-2.5", "42", "1235", "1.23e-5"]);
});
