import { expect, it } from "vitest";
import { compactCount, metricValue, percent, signed } from "./format.ts";

it("writes counts short", () => {
  expect([999, 12_600_000, 1_100_000_000].map(compactCount)).toEqual(["999", "12.6M", "1.1B"]);
});

it("writes metrics to three significant digits", () => {
  const shown = [0, 0.123456, -2.5, 41.987, 1234.5, 0.00001234].map(metricValue);
  expect(shown).toEqual(["0", "0.123", "-2.5", "42", "1235", "1.23e-5"]);
});

it("writes shares as percentages and differences with their sign", () => {
  expect([0.1, 0.125, 1].map(percent)).toEqual(["10%", "12.5%", "100%"]);
  expect([0.0512, -0.2, 0].map(signed)).toEqual(["+0.051", "−0.200", "+0.000"]);
});
