import { describe, expect, it } from "vitest";
import { lengthBuckets } from "./length-buckets.ts";

const sequences = Array.from({ length: 100 }, (_, index) => ({
  promptTokens: Array.from({ length: 1 + (index % 7) }, () => index),
  replyTokens: [index],
}));

describe("batches by length", () => {
  it("hold every sequence once, within the budget of padded tokens", () => {
    const batches = lengthBuckets(sequences, 30, 1);
    const seen = batches.flat().map(({ replyTokens }) => replyTokens[0]);
    expect(seen.toSorted((a = 0, b = 0) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    for (const batch of batches) {
      const longest = Math.max(...batch.map(({ promptTokens }) => promptTokens.length));
      expect(longest * batch.length).toBeLessThanOrEqual(30);
    }
  });

  it("come in an order that the seed alone decides", () => {
    expect(lengthBuckets(sequences, 30, 5)).toEqual(lengthBuckets(sequences, 30, 5));
    expect(lengthBuckets(sequences, 30, 5)).not.toEqual(lengthBuckets(sequences, 30, 6));
  });

  it("leave a sequence longer than the budget alone in its batch", () => {
    const long = { promptTokens: Array.from({ length: 50 }, () => 1), replyTokens: [1] };
    expect(lengthBuckets([...sequences, long], 30, 1)).toContainEqual([long]);
  });
});
