import { expect, it } from "vitest";
import { positiveMutualInformation } from "./co-occurrence.ts";
import { jacobi, largestEigenvectors } from "./eigen.ts";

it("Jacobi's rotations give the eigenvalues of a symmetric matrix", () => {
  // [[2, 1], [1, 2]] has 3 along (1, 1) and 1 along (1, -1).
  const { values, vectors } = jacobi(Float64Array.of(2, 1, 1, 2), 2);
  expect([...values].sort()).toEqual([expect.closeTo(1, 12), expect.closeTo(3, 12)]);
  const large = values.indexOf(Math.max(...values));
  expect((vectors[large] as number) / (vectors[2 + large] as number)).toBeCloseTo(1, 12);
});

it("subspace iteration finds those of largest magnitude, of either sign", () => {
  // Blocks [[0, 5], [5, 0]] with ±5, and a diagonal of 3, 1 and 60 zeros.
  const size = 64;
  const matrix = new Float32Array(size * size);
  matrix[1] = 5;
  matrix[size] = 5;
  matrix[2 * size + 2] = 3;
  matrix[3 * size + 3] = 1;
  const { values, vectors } = largestEigenvectors(matrix, size, 3);
  expect([...values].map((value) => Math.abs(value))).toEqual([5, 5, 3].map((value) => expect.closeTo(value, 9)));
  expect(values[0]).toBeCloseTo(-(values[1] as number), 9);
  expect(Math.abs(vectors[2 * 3 + 2] as number)).toBeCloseTo(1, 9);
});

it("mutual information is that of the counts, with smoothed chances, and never negative", () => {
  const information = positiveMutualInformation(
    [
      [0, 1],
      [0, 1],
      [0, -1, 2],
    ],
    3,
  );
  // Six ordered pairs: (0, 1) twice each way, (0, 2) once each way. Chances go by 3, 2 and 1 to the power 0.875.
  const [a, b, c] = [3 ** 0.875, 2 ** 0.875, 1].map((power) => power / (3 ** 0.875 + 2 ** 0.875 + 1)) as [
    number,
    number,
    number,
  ];
  expect(information[1]).toBeCloseTo(Math.log(2 / 6 / (a * b)), 5);
  expect(information[2]).toBeCloseTo(Math.log(1 / 6 / (a * c)), 5);
  expect(information[3]).toBe(information[1]);
  expect([information[0], information[5]]).toEqual([0, 0]);
});
