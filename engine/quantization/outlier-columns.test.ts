import { describe, expect, it } from "vitest";
import { outliersAmong } from "./outlier-columns.ts";

describe("outliersAmong", () => {
  it("takes the columns that reach six, in rising order", () => {
    const largest = new Float32Array(256).fill(5.9);
    largest[200] = 6;
    largest[7] = 60;
    expect(outliersAmong(largest)).toEqual([7, 200]);
  });

  it("takes one in sixty-four at most, the largest", () => {
    expect(outliersAmong(Float32Array.from({ length: 128 }, (_, i) => 10 + i))).toEqual([126, 127]);
    expect(outliersAmong(new Float32Array(63).fill(100))).toEqual([]);
  });
});
