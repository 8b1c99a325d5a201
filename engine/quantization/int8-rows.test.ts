import { describe, expect, it } from "vitest";
import { int8Rows, quantizeInt8Rows } from "./int8-rows.ts";

describe("quantizeInt8Rows", () => {
  it("gives each output its own scale, and stores inputs one below the other", () => {
    const quantized = int8Rows(2, 3);
    quantizeInt8Rows(quantized, Float32Array.of(1.27, -0.64, 0.005, -254, 100, 1), 0);
    expect([...quantized.scales]).toEqual([Math.fround(Math.fround(1.27) / 127), 2]);
    // 127, -64, 0 (0.5 of a step rounds up to 1) and -127, 50, 0.5 (up to 1).
    expect([...quantized.values]).toEqual([128 + 127, 128 - 127, 128 - 64, 128 + 50, 128, 128 + 1]);
  });

  it("puts rows that come later behind those before", () => {
    const [whole, parts] = [int8Rows(3, 2), int8Rows(3, 2)];
    const rows = Float32Array.of(1, 2, -3, 4, 5, -6);
    quantizeInt8Rows(whole, rows, 0);
    quantizeInt8Rows(parts, rows.subarray(0, 4), 0);
    quantizeInt8Rows(parts, rows.subarray(4), 2);
    expect(parts).toEqual(whole);
  });

  it("keeps a row of zeros zero", () => {
    const quantized = int8Rows(1, 2);
    quantizeInt8Rows(quantized, new Float32Array(2), 0);
    expect(quantized).toEqual({ values: Uint8Array.of(128, 128), scales: Float32Array.of(0) });
  });
});
