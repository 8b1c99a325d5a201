import { describe, expect, it } from "vitest";
import { dropPromptTokens } from "./prompt-dropout.ts";

const control = new Set([1, 2, 3]);
const examples = Array.from({ length: 400 }, (_, i) => ({
  promptTokens: [1, ...Array.from({ length: 10 }, (_, k) => 10 + ((i + k) % 50)), 3, 2],
  replyTokens: [20, 21, 3],
  exchange: `exchange ${i}`,
}));

describe("prompt dropout", () => {
  it("leaves out the share that was asked for, in order, and never a mark of a turn", () => {
    const dropped = dropPromptTokens(examples, 0.3, control, 5);
    const words = dropped.flatMap(({ promptTokens }) => promptTokens.filter((token) => !control.has(token)));
    // 4,000 draws: five standard deviations are 0.036.
    expect(Math.abs(words.length / 4000 - 0.7)).toBeLessThan(0.036);
    for (const [i, { promptTokens, replyTokens, exchange }] of dropped.entries()) {
      const whole = examples[i] as (typeof examples)[number];
      expect([promptTokens[0], ...promptTokens.slice(-2)]).toEqual([1, 3, 2]);
      let from = 0;
      for (const token of promptTokens) from = whole.promptTokens.indexOf(token, from) + 1;
      expect(from).toBeGreaterThan(0);
      expect({ replyTokens, exchange }).toEqual({ replyTokens: whole.replyTokens, exchange: whole.exchange });
    }
  });

  it("draws anew with another seed and the same with the same", () => {
    expect(dropPromptTokens(examples, 0.3, control, 5)).toEqual(dropPromptTokens(examples, 0.3, control, 5));
    expect(dropPromptTokens(examples, 0.3, control, 6)).not.toEqual(dropPromptTokens(examples, 0.3, control, 5));
    expect(dropPromptTokens(examples, 0, control, 5)).toEqual(examples);
  });

  it("keeps a prompt whole of which nothing would be left", () => {
    expect(dropPromptTokens([{ promptTokens: [9], replyTokens: [3] }], 1, control, 5)[0]?.promptTokens).toEqual([9]);
  });
});
