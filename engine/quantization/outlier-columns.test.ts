import { describe, expect, it } from "vitest";
import { outliersAmong } from "./outlier-columns.ts";

describe("outliersAmong", () => {
  it.each([0.01, 1, 100])("takes the columns beyond twice the median, in rising order, at the scale %d", (scale) => {
    const largest = new Float32Array(256).fill(1.5 * scale);
    largest.fill(scale, 0, 200);
    largest[150] = 2.1 * scale;
    largest[7] = 60 * scale;
    expect(outliersAmong(largest)).toEqual([7, 150]);
  });

  it("takes one in sixty-four at most, the largest", () => {
    expect(outliersAmong(Float32Array.from({ length: 128 }, (_, i) => (i < 100 ? 1 : i)))).toEqual([126, 127]);
    expect(outliersAmong(Float32Array.from({ length: 63 }, (_, i) => (i < 60 ? 1 : i)))).toEqual([]);
  });

  it("takes none where features are alike, or all zero", () => {
    expect(outliersAmong(new Float32Array(128).fill(100))).toEqual([]);
    expect(outliersAmong(new Float32Array(128))).toEqual([]);
  });
});
