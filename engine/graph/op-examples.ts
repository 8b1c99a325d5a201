/**
 * Small examples of every op, for the tests that check forward values and gradients by walking the op table. The record
 * is exhaustive by type: an op without an example does not compile.
 */
import type { OpName } from "./op-names.ts";
import * as ops from "./ops.ts";
import type { Tensor } from "./tensor.ts";

export interface ExampleOperand {
  type: "float32" | "int64";
  shape: readonly number[];
  data: readonly number[];
  /** Whether the gradient by this operand is checked. */
  differentiate: boolean;
}

export interface OpExample {
  title: string;
  operands: readonly ExampleOperand[];
  /** An expression whose last op is the one under test, or one that needs it for a float32 result. */
  build(...operands: Tensor[]): Tensor;
  /** Values of the expression's weights, by name. */
  weights?: Readonly<Record<string, readonly number[]>>;
  /** The gradient is not the derivative but what the op defines it to be, so differences cannot check it. */
  gradientByDefinition?: boolean;
}

/** Irregular values between -1.5 and 1.5 with three decimals; `seed` moves them. */
export function exampleValues(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.round(1500 * Math.sin(12.9898 * i + 78.233 * seed + 1)) / 1000);
}

function float(shape: readonly number[], seed: number, change = (value: number) => value): ExampleOperand {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { type: "float32", shape, data: exampleValues(size, seed).map(change), differentiate: true };
}

const positive = (shape: readonly number[], seed: number) => float(shape, seed, (value) => Math.abs(value) + 0.5);
const fixed = (operand: ExampleOperand): ExampleOperand => ({ ...operand, differentiate: false });
const integers = (shape: readonly number[], data: readonly number[]): ExampleOperand => ({
  type: "int64",
  shape,
  data,
  differentiate: false,
});

type Unary = (x: Tensor) => Tensor;
type Binary = (a: Tensor, b: Tensor) => Tensor;

function unary(op: Unary, make = float): OpExample[] {
  return [
    { title: "of a matrix", operands: [make([2, 3], 1)], build: op },
    { title: "of a scalar", operands: [make([], 2)], build: op },
  ];
}

function binary(op: Binary, second = float): OpExample[] {
  return [
    { title: "of equal shapes", operands: [float([2, 3], 1), second([2, 3], 2)], build: op },
    { title: "with a row broadcast", operands: [float([2, 3], 3), second([3], 4)], build: op },
    { title: "with a column broadcast", operands: [float([2, 1], 5), second([2, 3], 6)], build: op },
    { title: "with both broadcast", operands: [float([2, 1, 3], 7), second([4, 1], 8)], build: op },
    { title: "with a scalar", operands: [float([2, 3], 9), second([], 10)], build: op },
    { title: "of one tensor with itself", operands: [second([2, 2], 11)], build: (x) => op(x, x) },
  ];
}

/** Operands on two grids a quarter apart: where they meet there is no derivative. */
function compared(op: Binary): OpExample[] {
  const onGrid = (operand: ExampleOperand, offset: number): ExampleOperand => ({
    ...operand,
    data: operand.data.map((value) => Math.round(2 * value) / 2 + offset),
  });
  return binary(op)
    .filter(({ operands }) => operands.length === 2)
    .map((example) => ({ ...example, operands: example.operands.map((x, index) => onGrid(x, index / 4)) }));
}

/** cos and sin of position * 100^(-i/2), [4, 2]. */
const angles = [0, 1, 2, 3].flatMap((position) => [position, position / 10]);
const rotaryTable = (f: (angle: number) => number): ExampleOperand =>
  fixed({ type: "float32", shape: [4, 2], data: angles.map(f), differentiate: false });

export const opExamples: { [K in OpName]: readonly OpExample[] } = {
  input: [{ title: "as it is", operands: [float([2, 3], 1)], build: (x) => x }],
  weight: [
    {
      title: "times an input",
      operands: [float([2, 3], 1)],
      build: (x) => ops.mul(x, ops.weight("w", [3])),
      weights: { w: [0.5, -2, 3] },
    },
  ],
  constant: [
    {
      title: "times an input",
      operands: [float([2, 3], 1)],
      build: (x) => ops.mul(x, ops.constant(Float32Array.of(0.5, -2, 3), [3])),
    },
  ],
  zeros: [{ title: "plus an input", operands: [float([3], 1)], build: (x) => ops.add(x, ops.zeros([2, 3])) }],
  stopGradient: [
    {
      title: "times the tensor itself",
      operands: [float([2, 3], 1)],
      build: (x) => ops.mul(ops.stopGradient(x), x),
      gradientByDefinition: true,
    },
  ],
  neg: unary(ops.neg),
  exp: unary(ops.exp),
  log: unary(ops.log, positive),
  sqrt: unary(ops.sqrt, positive),
  reciprocal: unary(ops.reciprocal, positive),
  sigmoid: unary(ops.sigmoid),
  tanh: unary(ops.tanh),
  erf: unary(ops.erf),
  gelu: [
    { title: "exact", operands: [float([2, 3], 1)], build: (x) => ops.gelu(x, "none") },
    { title: "by tanh", operands: [float([2, 3], 2)], build: (x) => ops.gelu(x, "tanh") },
  ],
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div, positive),
  minimum: compared(ops.minimum),
  maximum: compared(ops.maximum),
  lessOrEqual: compared((a, b) => ops.where(ops.lessOrEqual(a, b), a, b)),
  where: [
    {
      title: "of equal shapes",
      operands: [fixed(float([2, 3], 1)), float([2, 3], 2), float([2, 3], 3)],
      build: (c, a, b) => ops.where(ops.lessOrEqual(c, ops.scalar(0)), a, b),
    },
    {
      title: "with everything broadcast",
      operands: [fixed(float([2, 1, 1], 4)), float([3], 5), float([4, 1], 6)],
      build: (c, a, b) => ops.where(ops.lessOrEqual(c, ops.scalar(0)), a, b),
    },
  ],
  matmul: [
    { title: "of matrices", operands: [float([2, 3], 1), float([3, 4], 2)], build: ops.matmul },
    { title: "of batches", operands: [float([2, 2, 3], 3), float([2, 3, 2], 4)], build: ops.matmul },
    { title: "of a batch by a matrix", operands: [float([2, 2, 3], 5), float([3, 2], 6)], build: ops.matmul },
    {
      title: "of two leading axes by a matrix",
      operands: [float([2, 2, 2, 3], 7), float([3, 2], 8)],
      build: ops.matmul,
    },
    { title: "of a matrix by a batch", operands: [float([2, 3], 9), float([2, 3, 2], 10)], build: ops.matmul },
    { title: "with broadcast batches", operands: [float([2, 1, 2, 3], 11), float([3, 3, 2], 12)], build: ops.matmul },
    { title: "of a matrix with itself", operands: [float([3, 3], 13)], build: (x) => ops.matmul(x, x) },
  ],
  transpose: [
    { title: "of a matrix", operands: [float([2, 3], 1)], build: (x) => ops.transpose(x, [1, 0]) },
    { title: "of a cycle of axes", operands: [float([2, 3, 4], 2)], build: (x) => ops.transpose(x, [2, 0, 1]) },
  ],
  reshape: [
    { title: "to fewer axes", operands: [float([2, 3, 2], 1)], build: (x) => ops.reshape(x, [6, 2]) },
    { title: "to a scalar", operands: [float([1, 1], 2)], build: (x) => ops.reshape(x, []) },
  ],
  expand: [
    { title: "along axes of one", operands: [float([2, 1, 3], 1)], build: (x) => ops.expand(x, [2, 4, 3]) },
    { title: "to more axes", operands: [float([3], 2)], build: (x) => ops.expand(x, [2, 2, 3]) },
    { title: "of a scalar", operands: [float([], 3)], build: (x) => ops.expand(x, [2, 2]) },
  ],
  slice: [
    { title: "from the middle", operands: [float([2, 5], 1)], build: (x) => ops.slice(x, 1, 1, 3) },
    { title: "from the beginning", operands: [float([4, 2], 2)], build: (x) => ops.slice(x, 0, 0, 3) },
    { title: "to the end, axis from the back", operands: [float([2, 2, 4], 3)], build: (x) => ops.slice(x, -1, 1, 3) },
    { title: "of everything", operands: [float([3], 4)], build: (x) => ops.slice(x, 0, 0, 3) },
  ],
  concat: [
    {
      title: "of three along the first axis",
      operands: [float([2, 2], 1), float([1, 2], 2), float([3, 2], 3)],
      build: (...parts) => ops.concat(parts, 0),
    },
    {
      title: "of two along the last axis",
      operands: [float([2, 1], 4), float([2, 3], 5)],
      build: (...parts) => ops.concat(parts, -1),
    },
    { title: "of one tensor twice", operands: [float([2, 2], 6)], build: (x) => ops.concat([x, x], 1) },
  ],
  reduceSum: [
    { title: "over the last axis", operands: [float([2, 3], 1)], build: (x) => ops.reduceSum(x, [-1]) },
    { title: "over outer axes, kept", operands: [float([2, 3, 2], 2)], build: (x) => ops.reduceSum(x, [0, 2], true) },
    { title: "over all axes", operands: [float([2, 3], 3)], build: ops.sumAll },
    { title: "over no axis", operands: [float([3], 4)], build: (x) => ops.reduceSum(x, []) },
  ],
  softmax: [
    { title: "of rows", operands: [float([2, 4], 1)], build: ops.softmax },
    { title: "of a batch", operands: [float([2, 2, 3], 2)], build: ops.softmax },
  ],
  logSoftmax: [
    { title: "of rows", operands: [float([2, 4], 1)], build: ops.logSoftmax },
    { title: "of large values", operands: [float([1, 3], 2, (value) => value + 80)], build: ops.logSoftmax },
  ],
  rmsNorm: [
    { title: "of rows", operands: [float([2, 4], 1), float([4], 2)], build: (x, w) => ops.rmsNorm(x, w, 1e-5) },
    {
      title: "with a large epsilon",
      operands: [float([2, 2, 3], 3), float([3], 4)],
      build: (x, w) => ops.rmsNorm(x, w, 1),
    },
  ],
  layerNorm: [
    {
      title: "of rows",
      operands: [float([2, 4], 1), float([4], 2), float([4], 3)],
      build: (x, w, b) => ops.layerNorm(x, w, b, 1e-5),
    },
    {
      title: "with a large epsilon",
      operands: [float([2, 2, 3], 4), float([3], 5), float([3], 6)],
      build: (x, w, b) => ops.layerNorm(x, w, b, 1),
    },
  ],
  rotary: [
    {
      title: "of two rows at different positions",
      operands: [float([2, 3, 2, 4], 1), integers([2, 2], [0, 1, 2, 3]), rotaryTable(Math.cos), rotaryTable(Math.sin)],
      build: ops.rotary,
    },
  ],
  gatherRows: [
    {
      title: "with a repeated row",
      operands: [float([4, 3], 1), integers([3], [2, 0, 2])],
      build: ops.gatherRows,
    },
    {
      title: "with a matrix of indices",
      operands: [float([3, 2], 2), integers([2, 2], [1, 1, 0, 2])],
      build: ops.gatherRows,
    },
    {
      title: "of a stack of matrices",
      operands: [float([2, 2, 3], 3), integers([3], [1, 0, 1])],
      build: ops.gatherRows,
    },
  ],
  scatterAddRows: [
    {
      title: "with a repeated row",
      operands: [float([4, 2], 1), integers([3], [3, 1, 3]), float([3, 2], 2)],
      build: ops.scatterAddRows,
    },
  ],
  tokenLogProbs: [
    { title: "of rows", operands: [float([3, 5], 1), integers([3], [4, 0, 2])], build: ops.tokenLogProbs },
  ],
  addAtToken: [
    {
      title: "to rows",
      operands: [float([3, 4], 1), integers([3], [0, 3, 3]), float([3], 2)],
      build: ops.addAtToken,
    },
  ],
};
