import { describe, expect, it } from "vitest";
import { quantizeInt4Rows } from "./int4-blocks.ts";

/** What a block stands for: (level - 8) * scale, two levels a byte, the first in the lower half. */
function dequantize(values: Uint8Array, scales: Float32Array): number[] {
  return [...values].flatMap((byte, i) => {
    const scale = scales[Math.floor(i / 16)] as number;
    return [((byte & 15) - 8) * scale, ((byte >> 4) - 8) * scale];
  });
}

describe("quantizeInt4Rows", () => {
  it("keeps weights that lie on a grid of sixteen levels as they are", () => {
    const levels = Array.from({ length: 32 }, (_, i) => (i % 16) - 8);
    const { values, scales } = quantizeInt4Rows(
      Float32Array.from(levels, (level) => level * 0.25),
      32,
    );
    expect([...scales]).toEqual([0.25]);
    expect([...values.subarray(0, 8)]).toEqual([0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]);
  });

  it("turns the scale round where the largest weight is positive", () => {
    const { values, scales } = quantizeInt4Rows(
      Float32Array.from({ length: 32 }, (_, i) => 8 - (i % 16)),
      32,
    );
    expect([...scales]).toEqual([-1]);
    expect(values[0]).toBe(0x10);
  });

  it("fills the last block of each row up with zeros", () => {
    const { values, scales } = quantizeInt4Rows(new Float32Array(2 * 40).fill(2), 40);
    expect([values.length, scales.length]).toEqual([2 * 2 * 16, 4]);
    const row = dequantize(values, scales).slice(0, 64);
    expect(row.slice(0, 40).every((weight) => Math.abs(weight - 2) < 1e-6)).toBe(true);
    expect(row.slice(40)).toEqual(new Array(24).fill(expect.closeTo(0)));
  });

  it("leaves a smaller error than scaling by the largest weight does", () => {
    // Quantiles of a normal distribution, about, in an irregular order.
    const weights = Float32Array.from({ length: 32 }, (_, i) => Math.tan(1.3 * Math.sin(7.1 * i + 1)));
    const error = (found: readonly number[]) => found.reduce((sum, w, i) => sum + (w - (weights[i] as number)) ** 2, 0);
    const step = Math.max(...weights.map(Math.abs)) / 7;
    const plain = [...weights].map((weight) => Math.round(weight / step) * step);
    const { values, scales } = quantizeInt4Rows(weights, 32);
    expect(error(dequantize(values, scales))).toBeLessThan(0.9 * error(plain));
  });
});
