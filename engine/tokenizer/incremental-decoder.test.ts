import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeTokens, IncrementalDecoder } from "./incremental-decoder.ts";
import { tokenBytes } from "./token-bytes.ts";

// 256 tokens of one byte each, in GPT-2's spelling, made by its rule: printable bytes first, the others from U+0100 on.
const printable = [...Array(256).keys()].filter((b) => (b > 32 && b < 127) || (b > 160 && b < 173) || b > 173);
const others = [...Array(256).keys()].filter((b) => !printable.includes(b));
const vocabulary: Record<string, number> = {};
for (const byte of printable) vocabulary[String.fromCharCode(byte)] = byte;
for (const [index, byte] of others.entries()) vocabulary[String.fromCharCode(256 + index)] = byte;
const table = tokenBytes(Object.entries(vocabulary), new Map([[256, null]]), 258);

function decodeStepwise(tokens: readonly number[]): string[] {
  const decoder = new IncrementalDecoder(table);
  return [...tokens.map((token) => decoder.push(token)), decoder.flush()];
}

const bytesOf = (text: string) => [...Buffer.from(text, "utf8")];

describe("IncrementalDecoder", () => {
  it("gives a character with its last byte, never a part of one", () => {
    // e with acute accent has two bytes, the euro sign three, the emoji four.
    expect(decodeStepwise(bytesOf("é€🙂!"))).toEqual(["", "é", "", "", "€", "", "", "", "🙂", "!", ""]);
  });

  it("leaves no trace of control tokens and of ids that stand for nothing", () => {
    expect(decodeStepwise([0xc3, 256, 257, 0xa9])).toEqual(["", "", "", "é", ""]);
  });

  it("shows an incomplete character only when flushed", () => {
    expect(decodeStepwise([0x61, 0xe2, 0x82])).toEqual(["a", "", "", "\ufffd"]);
  });

  it("keeps a byte order mark, as any other character", () => {
    expect(decodeStepwise(bytesOf("\ufeffa")).join("")).toBe("\ufeffa");
  });

  it("adds up to the text as a whole, for any bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 256 })), (tokens) => {
        const steps = decodeStepwise(tokens);
        const bytes = Buffer.from(tokens.filter((token) => token < 256));
        expect(steps.join("")).toBe(bytes.toString("utf8"));
        expect(decodeTokens(table, tokens)).toBe(bytes.toString("utf8"));
        expect(steps.every((step) => step.isWellFormed())).toBe(true);
      }),
      { seed: 4 },
    );
  });

  it("adds up to any text that was written in it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(decodeStepwise(bytesOf(text)).join("")).toBe(text);
      }),
      { seed: 4 },
    );
  });
});

describe("tokenBytes", () => {
  it("names a token whose spelling stands for no bytes", () => {
    expect(() => tokenBytes([["a\u4e00", 0]], new Map(), 1)).toThrow('token 0, "a\u4e00", holds \u4e00');
  });
});
