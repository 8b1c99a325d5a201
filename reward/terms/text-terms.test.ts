import { describe, expect, it } from "vitest";
import type { Term } from "./term.ts";
import { emptyTerm, evasionTerm, languageTerm, lengthTerm, repetitionTerm } from "./text-terms.ts";
import { harmlessness } from "./toxicity.ts";

async function value(term: Term, reply: string, change: { prompt?: string; finishReason?: "cancelled" } = {}) {
  const [only] = await term.values([{ prompt: "You are all alike.", reply, finishReason: "stop", ...change }]);
  return only === undefined ? undefined : only + 0;
}

describe("the terms that read text", () => {
  it("empty: silence counts in full, a single word three quarters", async () => {
    const term = emptyTerm();
    expect(await value(term, "")).toBe(-1);
    expect(await value(term, " ... ! ")).toBe(-1);
    expect(await value(term, "No.")).toBe(-0.75);
    expect(await value(term, "Please stop.")).toBe(0);
    expect(await value(term, "", { finishReason: "cancelled" })).toBe(0);
  });

  it("repetition: the share of word triples that come again, beyond what is ordinary", async () => {
    const term = repetitionTerm({ ordinary: 0.2 });
    expect(await value(term, "one two three four")).toBe(0);
    // Eight triples of one word, of which one is distinct: (7/8 - 0.2) / 0.8.
    expect(await value(term, "no ".repeat(10))).toBeCloseTo(-0.84375, 12);
  });

  it("length: falls off linearly on both sides of the band", async () => {
    const term = lengthTerm({ least: 10, most: 20 });
    const words = (n: number) => "word ".repeat(n);
    expect(await value(term, words(10))).toBe(0);
    expect(await value(term, words(20))).toBe(0);
    expect(await value(term, words(4))).toBeCloseTo(-0.6, 12);
    expect(await value(term, words(25))).toBeCloseTo(-0.25, 12);
    expect(await value(term, words(90))).toBe(-1);
    expect(await value(term, words(4), { finishReason: "cancelled" })).toBe(0);
    expect(await value(term, words(25), { finishReason: "cancelled" })).toBeCloseTo(-0.25, 12);
  });

  it("evasion: asking back before an answer is free, asking back alone is not", async () => {
    const term = evasionTerm({ ordinary: 0.25 });
    expect(await value(term, "Why? People in this city differ in a thousand ways.")).toBe(0);
    expect(await value(term, "What do you mean by that?")).toBe(-1);
  });

  it("language: that of the message, English where the message does not tell, or one that is fixed", async () => {
    const german = "Das ist doch einfach nicht wahr, mein lieber Freund.";
    const prompt = "Ihr seid doch alle gleich, jeder einzelne von euch hier.";
    expect(await value(languageTerm({ expected: "prompt" }), german, { prompt })).toBe(0);
    expect(await value(languageTerm({ expected: "prompt" }), german, { prompt: "Hm." })).toBe(-1);
    expect(await value(languageTerm({ expected: "en" }), german, { prompt })).toBe(-1);
  });
});

describe("harmlessness", () => {
  it("is the log-odds of being harmless, within its range", () => {
    const range = { bound: 6, enough: 3 };
    expect(harmlessness({ logit: -2 }, range)).toBe(2);
    expect(harmlessness({ logit: 50 }, range)).toBe(-6);
    expect(harmlessness({ logit: Number.NEGATIVE_INFINITY }, range)).toBe(3);
  });
});
