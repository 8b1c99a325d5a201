import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addToken, emptyAssembly, hasGap } from "./reply-assembly.ts";

describe("addToken", () => {
  it("holds a token beyond a gap until the gap closes", () => {
    const gapped = addToken(emptyAssembly, 1, "lo");
    expect(gapped).toEqual({ text: "", nextIndex: 0, held: { 1: "lo" } });
    expect(hasGap(gapped)).toBe(true);
    const closed = addToken(gapped, 0, "hel");
    expect(closed).toEqual({ text: "hello", nextIndex: 2, held: {} });
    expect(hasGap(closed)).toBe(false);
  });

  it("returns the same assembly for a token it already has", () => {
    const one = addToken(emptyAssembly, 0, "a");
    expect(addToken(one, 0, "a")).toBe(one);
    const held = addToken(one, 3, "d");
    expect(addToken(held, 3, "d")).toBe(held);
  });

  it("keeps an empty token, which the server sends when a character is not complete yet", () => {
    const assembly = [[1, ""] as const, [0, "a"] as const, [2, "b"] as const].reduce(
      (soFar, [index, text]) => addToken(soFar, index, text),
      emptyAssembly,
    );
    expect(assembly).toEqual({ text: "ab", nextIndex: 3, held: {} });
  });

  it("gives the concatenation for every order, with any tokens repeated", () => {
    const deliveries = fc.array(fc.string(), { maxLength: 30 }).chain((tokens) => {
      const all = tokens.map((_, index) => index);
      const repeated = tokens.length === 0 ? fc.constant([]) : fc.array(fc.nat(tokens.length - 1));
      return repeated.chain((more) =>
        fc.record({
          tokens: fc.constant(tokens),
          order: fc.shuffledSubarray([...all, ...more], { minLength: all.length + more.length }),
        }),
      );
    });
    fc.assert(
      fc.property(deliveries, ({ tokens, order }) => {
        const assembly = order.reduce((soFar, index) => addToken(soFar, index, tokens[index] ?? ""), emptyAssembly);
        expect(assembly).toEqual({ text: tokens.join(""), nextIndex: tokens.length, held: {} });
      }),
    );
  });
});
