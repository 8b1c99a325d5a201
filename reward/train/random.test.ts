import { expect, test } from "vitest";
import { seededRandom, shuffle } from "./random.ts";

test("a seed gives the same stream again, another seed another one", () => {
  const draw = (seed: number) => Array.from({ length: 4 }, seededRandom(seed).uniform);
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("normal numbers have mean 0 and variance 1", () => {
  const { normal } = seededRandom(3);
  const values = Array.from({ length: 20_000 }, normal);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  expect(mean).toBeCloseTo(0, 1);
  expect(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length).toBeCloseTo(1, 1);
});

test("shuffling keeps the items", () => {
  const items = [1, 2, 3, 4, 5];
  shuffle(items, seededRandom(1));
  expect([...items].sort()).toEqual([1, 2, 3, 4, 5]);
});
