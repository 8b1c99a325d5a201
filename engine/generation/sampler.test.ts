import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SamplingOptions } from "../types.ts";
import { penalize, probabilitiesOf } from "./probabilities.ts";
import { randomStream } from "./random.ts";
import { greedyDraw, Sampler } from "./sampler.ts";

const plain = { topK: 0, topP: 1 };

/** Draws with the given uniform number from probabilities [vocabulary]. */
function draw(probabilities: readonly number[], options: Partial<SamplingOptions>, uniform: number, top = 0) {
  return new Sampler().draw(Float32Array.from(probabilities), { ...plain, ...options }, () => uniform, top);
}

describe("Sampler", () => {
  it("draws the token at which the cumulative probability passes the uniform number", () => {
    const probabilities = [0.1, 0.4, 0.2, 0.3];
    expect([0, 0.09, 0.11, 0.49, 0.51, 0.69, 0.71, 0.999].map((u) => draw(probabilities, {}, u).token)).toEqual([
      0, 0, 1, 1, 2, 2, 3, 3,
    ]);
    expect(draw(probabilities, {}, 0.6).logProb).toBeCloseTo(Math.log(0.2), 6);
  });

  it("is greedy at temperature 0, with certainty as its log-prob and the lower id at a tie", () => {
    expect(greedyDraw(Float32Array.of(-2, 0.5, 0.5, -1), 0)).toEqual({ token: 1, logProb: 0, alternatives: [] });
    expect(greedyDraw(Float32Array.of(-2, 0.5), 3).alternatives).toEqual([{ token: 1, logProb: 0 }]);
  });

  it("keeps the k most likely tokens and renormalizes", () => {
    const probabilities = [0.1, 0.4, 0.2, 0.3];
    expect(draw(probabilities, { topK: 2 }, 0.56)).toMatchObject({ token: 1 });
    expect(draw(probabilities, { topK: 2 }, 0.58)).toMatchObject({ token: 3 });
    expect(draw(probabilities, { topK: 2 }, 0.58).logProb).toBeCloseTo(Math.log(3 / 7), 6);
    expect(draw([0.25, 0.25, 0.25, 0.25], { topK: 2 }, 0.99).token).toBe(1);
  });

  it("keeps the smallest set of tokens whose probability reaches p", () => {
    const probabilities = [0.1, 0.4, 0.2, 0.3];
    expect(draw(probabilities, { topP: 0.39 }, 0.99)).toMatchObject({ token: 1, logProb: 0 });
    // 0.4 + 0.3 falls short of 0.75, so 0.2 is the last to be kept.
    expect(draw(probabilities, { topP: 0.75 }, 0.01).token).toBe(1);
    expect(draw(probabilities, { topP: 0.75 }, 0.5).logProb).toBeCloseTo(Math.log(0.2 / 0.9), 6);
  });

  it("takes top-p of what top-k left", () => {
    // Of 0.4, 0.3, 0.2 two thirds are 0.6: two tokens.
    expect(draw([0.1, 0.4, 0.2, 0.3], { topK: 3, topP: 0.66 }, 0.99).logProb).toBeCloseTo(Math.log(3 / 7), 6);
  });

  it("lists the most likely kept tokens with their share", () => {
    const { alternatives } = draw([0.1, 0.4, 0.2, 0.3], { topK: 3 }, 0, 5);
    expect(alternatives.map(({ token }) => token)).toEqual([1, 3, 2]);
    expect(alternatives[1]?.logProb).toBeCloseTo(Math.log(3 / 9), 6);
    expect(draw([0.1, 0.4, 0.2, 0.3], {}, 0, 2).alternatives.map(({ token }) => token)).toEqual([1, 3]);
  });

  it("refuses what is no number", () => {
    for (const options of [{}, { topK: 1 }, { topP: 0.5 }, { topK: 1, topP: 0.5 }]) {
      expect(() => draw([Number.NaN, 0.5], options, 0.5)).toThrow("the model returned NaN among its logits");
    }
    expect(() => greedyDraw(Float32Array.of(1, Number.POSITIVE_INFINITY), 0)).toThrow("the model returned Infinity");
  });

  it("keeps what a full sort would keep, whatever the probabilities", () => {
    const logit = fc.oneof(fc.double({ min: -60, max: 5, noNaN: true }), fc.integer({ min: -3, max: 3 }));
    const options = fc.record({
      temperature: fc.double({ min: 0.1, max: 2, noNaN: true }),
      topK: fc.integer({ min: 0, max: 8 }),
      topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 40 }), options, (values, chosen) => {
        const probabilities = probabilitiesOf(Float32Array.from(values), chosen.temperature);
        const weight = (token: number) => probabilities[token] as number;
        const ranked = [...probabilities.keys()].sort((a, b) => weight(b) - weight(a) || a - b);
        const sum = (tokens: number[]) => tokens.reduce((total, token) => total + weight(token), 0);
        const left = chosen.topK === 0 ? ranked : ranked.slice(0, chosen.topK);
        let nucleus = left.findIndex((_, i) => sum(left.slice(0, i + 1)) / sum(left) >= chosen.topP) + 1;
        if (nucleus === 0) nucleus = left.length;
        const kept = left.slice(0, nucleus);
        const { alternatives } = new Sampler().draw(probabilities, chosen, () => 0.5, probabilities.length);
        // Rounding may decide about tokens without weight, and about the one that reaches p.
        const solid = (tokens: number[]) => tokens.filter((token) => weight(token) / sum(kept) > 1e-9);
        const close = left.some((_, i) => Math.abs(sum(left.slice(0, i + 1)) / sum(left) - chosen.topP) < 1e-9);
        if (!close) expect(solid(alternatives.map(({ token }) => token))).toEqual(solid(kept));
        for (const { token, logProb } of close ? [] : alternatives.filter((a) => solid(kept).includes(a.token))) {
          expect(logProb).toBeCloseTo(Math.log(weight(token) / sum(kept)), 6);
        }
      }),
      { seed: 5 },
    );
  });

  it("draws each token as often as its probability says", () => {
    const probabilities = [0.05, 0.5, 0.15, 0.3];
    const [sampler, random, counts] = [new Sampler(), randomStream(11), [0, 0, 0, 0]];
    for (let i = 0; i < 20_000; i++) {
      const { token } = sampler.draw(Float32Array.from(probabilities), plain, random);
      counts[token] = (counts[token] as number) + 1;
    }
    const chiSquare = probabilities.reduce(
      (sum, p, i) => sum + ((counts[i] as number) - 20_000 * p) ** 2 / (20_000 * p),
      0,
    );
    // The 99.9% point of chi-square with three degrees of freedom.
    expect(chiSquare).toBeLessThan(16.27);
  });
});

describe("probabilitiesOf", () => {
  it("raises probabilities to the power of 1 / temperature", () => {
    // Temperature 1/2 squares: 1/16, 9/16 become 1/10, 9/10.
    const [low, high] = probabilitiesOf(Float32Array.of(Math.log(0.25), Math.log(0.75)), 0.5);
    expect(low).toBeCloseTo(0.1, 6);
    expect(high).toBeCloseTo(0.9, 6);
  });

  it("stays a distribution however low the temperature", () => {
    expect([...probabilitiesOf(Float32Array.of(3, 2.999, -1), 1e-300)]).toEqual([1, 0, 0]);
  });
});

describe("penalize", () => {
  it("divides positive and multiplies negative logits of seen tokens", () => {
    const logits = Float32Array.of(2, -1, 0.5);
    penalize(logits, [0, 1], 2);
    expect([...logits]).toEqual([1, -2, 0.5]);
  });
});
