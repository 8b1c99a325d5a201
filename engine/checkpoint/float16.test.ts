import { describe, expect, it } from "vitest";
import { decodeBfloat16, decodeFloat16, encodeBfloat16 } from "./float16.ts";

/** Bit patterns and values from IEEE 754-2019 table 3.5 and Wikipedia's list of half-precision examples. */
const halves: [number, number][] = [
  [0x0000, 0],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3555, 0.333251953125],
  [0x3bff, 0.99951171875],
  [0x3c00, 1],
  [0x3c01, 1.0009765625],
  [0x7bff, 65504],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
  [0x8000, -0],
  [0xc000, -2],
  [0x7e00, Number.NaN],
];

/** Sign, eight bits of exponent, seven of fraction. */
const brains: [number, number][] = [
  [0x0000, 0],
  [0x3f80, 1],
  [0xc000, -2],
  [0x4049, 3.140625],
  [0x3eab, 0.333984375],
  [0x7f7f, 3.3895313892515355e38],
  [0x7f80, Number.POSITIVE_INFINITY],
];

describe("half precision", () => {
  it("float16 reads every kind of number", () => {
    const values = decodeFloat16(Uint16Array.from(halves, ([bits]) => bits));
    expect([...values]).toEqual(halves.map(([, value]) => value));
  });

  it("bfloat16 reads and writes what it can hold exactly", () => {
    const bits = Uint16Array.from(brains, ([pattern]) => pattern);
    expect([...decodeBfloat16(bits)]).toEqual(brains.map(([, value]) => value));
    expect(encodeBfloat16(decodeBfloat16(bits))).toEqual(bits);
  });

  it("bfloat16 rounds to nearest, ties to even, and keeps NaN a NaN", () => {
    // Near 1 the step is 2^-7.
    const written = (value: number) => decodeBfloat16(encodeBfloat16(Float32Array.of(value)))[0];
    expect(written(1 + 0.4 * 2 ** -7)).toBe(1);
    expect(written(1 + 0.6 * 2 ** -7)).toBe(1 + 2 ** -7);
    expect(written(1 + 0.5 * 2 ** -7)).toBe(1);
    expect(written(1 + 1.5 * 2 ** -7)).toBe(1 + 2 * 2 ** -7);
    expect(written(3.4e38)).toBe(Number.POSITIVE_INFINITY);
    const quiet = new Float32Array(Uint32Array.of(0x7f800001).buffer);
    expect(decodeBfloat16(encodeBfloat16(quiet))[0]).toBeNaN();
  });
});
