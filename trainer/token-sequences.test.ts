import { describe, expect, it } from "vitest";
import { packSequences } from "./token-sequences.ts";

describe("packing sequences", () => {
  it("pads on the right and points at the token that predicts each reply token", () => {
    const { feeds, targets, spans } = packSequences([
      { promptTokens: [5, 6], replyTokens: [7, 8] },
      { promptTokens: [9], replyTokens: [3] },
    ]);
    expect(feeds.tokens).toEqual({ data: BigInt64Array.of(5n, 6n, 7n, 9n, 0n, 0n), shape: [2, 3] });
    expect(feeds.positions.data).toEqual(BigInt64Array.of(0n, 1n, 2n, 0n, 1n, 2n));
    expect(feeds.places.data).toEqual(BigInt64Array.of(1n, 2n, 3n));
    expect(feeds.targets.data).toEqual(BigInt64Array.of(7n, 8n, 3n));
    expect(targets).toBe(3);
    expect(spans).toEqual([
      { start: 0, end: 2 },
      { start: 2, end: 3 },
    ]);
  });

  it("refuses a reply that nothing comes before", () => {
    expect(() => packSequences([{ promptTokens: [], replyTokens: [1] }])).toThrow("sequence 0 of the batch");
  });
});
