import { expect, it } from "vitest";
import { compareDistinct } from "./distinct-ngrams.ts";

const options = { confidence: 0.99, seed: 1 };

it("counts different n-grams over all of them, both sides cut to one length", () => {
  const pairs = [
    { candidate: [1, 2, 1, 2, 9], baseline: [1, 2, 3, 4] },
    { candidate: [1, 2], baseline: [5, 6, 7] },
  ];
  // Candidate: 1 2 1 2 and 1 2, of which 1 and 2 differ; baseline: 1 2 3 4 and 5 6.
  expect(compareDistinct(pairs, 1, options)).toMatchObject({ candidate: 2 / 6, baseline: 1 });
  // Pairs 12 21 12 and 12, of which two differ, against 12 23 34 and 56.
  expect(compareDistinct(pairs, 2, options)).toMatchObject({ candidate: 2 / 4, baseline: 1 });
  expect(compareDistinct(pairs, 2, options)?.ratio.estimate).toBeCloseTo(0.5, 12);
});

it("sees one reply to everything as surely less varied, however long the others are", () => {
  const pairs = Array.from({ length: 40 }, (_, i) => {
    return { candidate: [1, 2, 3, 4], baseline: Array.from({ length: 12 }, (_, k) => (i * 7 + k * k) % 97) };
  });
  expect(compareDistinct(pairs, 2, options)?.ratio.high).toBeLessThan(0.3);
});

it("is exactly one for the same replies, and nothing where there is nothing to count", () => {
  const same = Array.from({ length: 20 }, (_, i) => ({ candidate: [i, i + 1, i], baseline: [i, i + 1, i] }));
  expect(compareDistinct(same, 2, options)?.ratio).toEqual({ estimate: 1, low: 1, high: 1 });
  expect(compareDistinct([{ candidate: [], baseline: [1] }], 1, options)).toBeNull();
});
