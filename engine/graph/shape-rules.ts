/** What shape and element type each op produces, and what it refuses. */
import type { OpAttributes, OpName } from "./op-names.ts";
import { type Dim, type ElementType, formatShape, normalizeAxis, type Shape, sumDims } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export interface TypedShape {
  shape: Shape;
  type: ElementType;
}

export type ShapeRule<K extends OpName> = (inputs: readonly Tensor[], attributes: OpAttributes[K]) => TypedShape;

export function operand(inputs: readonly Tensor[], index: number): Tensor {
  const tensor = inputs[index];
  if (tensor === undefined) throw new RangeError(`operand ${index} is missing`);
  return tensor;
}

/** NumPy broadcasting; two different names never broadcast. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis): Dim => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new RangeError(`shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast at axis ${axis}`);
  });
}

const same: ShapeRule<OpName> = (inputs) => ({ shape: operand(inputs, 0).shape, type: operand(inputs, 0).type });

const elementwise: ShapeRule<OpName> = (inputs) => {
  const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
  if (a.type !== b.type) throw new TypeError(`operands are of different types: ${a.type} and ${b.type}`);
  return { shape: broadcastShapes(a.shape, b.shape), type: a.type };
};

const declared = (shape: Shape, type: ElementType): TypedShape => ({ shape, type });

export const shapeRules: { [K in OpName]: ShapeRule<K> } = {
  input: (_, { shape, type }) => declared(shape, type),
  weight: (_, { shape }) => declared(shape, "float32"),
  constant: (_, { shape, data }) => declared(shape, data instanceof Float32Array ? "float32" : "int64"),
  zeros: (_, { shape }) => declared(shape, "float32"),
  stopGradient: same,
  neg: same,
  exp: same,
  log: same,
  sqrt: same,
  reciprocal: same,
  sigmoid: same,
  tanh: same,
  add: elementwise,
  sub: elementwise,
  mul: elementwise,
  div: elementwise,
  minimum: elementwise,
  maximum: elementwise,
  lessOrEqual: (inputs, attributes) => ({ shape: elementwise(inputs, attributes).shape, type: "bool" }),
  where: (inputs) => {
    const [condition, a, b] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    return { shape: broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape)), type: a.type };
  },
  matmul: (inputs) => {
    const [a, b] = [operand(inputs, 0).shape, operand(inputs, 1).shape];
    const [rows, inner] = [a.at(-2), a.at(-1)];
    const [innerB, columns] = [b.at(-2), b.at(-1)];
    if (rows === undefined || inner === undefined || columns === undefined || inner !== innerB) {
      throw new RangeError(`cannot multiply ${formatShape(a)} by ${formatShape(b)}`);
    }
    return { shape: [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), rows, columns], type: "float32" };
  },
  transpose: (inputs, { permutation }) => {
    const { shape, type } = operand(inputs, 0);
    if (permutation.length !== shape.length || new Set(permutation).size !== shape.length) {
      throw new RangeError(`[${permutation.join(", ")}] is no permutation of the axes of ${formatShape(shape)}`);
    }
    return { shape: permutation.map((axis) => shape[normalizeAxis(axis, shape.length)] as Dim), type };
  },
  reshape: (inputs, { shape }) => {
    const from = operand(inputs, 0);
    const count = (dims: Shape) =>
      dims.every((d) => typeof d === "number") ? dims.reduce<number>((product, d) => product * Number(d), 1) : null;
    const [before, after] = [count(from.shape), count(shape)];
    if (before !== null && after !== null && before !== after) {
      throw new RangeError(`cannot reshape ${formatShape(from.shape)} to ${formatShape(shape)}`);
    }
    return { shape, type: from.type };
  },
  expand: (inputs, { shape }) => {
    const from = operand(inputs, 0);
    if (formatShape(broadcastShapes(from.shape, shape)) !== formatShape(shape)) {
      throw new RangeError(`cannot expand ${formatShape(from.shape)} to ${formatShape(shape)}`);
    }
    return { shape, type: from.type };
  },
  slice: (inputs, { axis, length }) => {
    const { shape, type } = operand(inputs, 0);
    const at = normalizeAxis(axis, shape.length);
    return { shape: shape.map((dim, index) => (index === at ? length : dim)), type };
  },
  concat: (inputs, { axis }) => {
    const first = operand(inputs, 0);
    const at = normalizeAxis(axis, first.shape.length);
    const total = inputs.slice(1).reduce<Dim>((sum, t) => {
      const fits = t.shape.every((dim, index) => index === at || dim === first.shape[index]);
      if (t.shape.length !== first.shape.length || !fits) {
        throw new RangeError(`cannot join ${formatShape(first.shape)} and ${formatShape(t.shape)} along axis ${axis}`);
      }
      return sumDims(sum, t.shape[at] as Dim);
    }, first.shape[at] as Dim);
    return { shape: first.shape.map((dim, index) => (index === at ? total : dim)), type: first.type };
  },
  reduceSum: (inputs, { axes, keepDims }) => {
    const { shape, type } = operand(inputs, 0);
    const summed = new Set(axes.map((axis) => normalizeAxis(axis, shape.length)));
    const kept = shape.map((dim, index): Dim | null => (summed.has(index) ? (keepDims ? 1 : null) : dim));
    return { shape: kept.filter((dim): dim is Dim => dim !== null), type };
  },
  softmax: same,
  logSoftmax: same,
  rmsNorm: (inputs) => {
    const [x, weight] = [operand(inputs, 0), operand(inputs, 1)];
    if (weight.shape.length !== 1 || weight.shape[0] !== x.shape.at(-1)) {
      throw new RangeError(`rmsNorm weight ${formatShape(weight.shape)} does not fit ${formatShape(x.shape)}`);
    }
    return { shape: x.shape, type: x.type };
  },
  rotary: (inputs) => {
    const x = operand(inputs, 0);
    if (x.shape.length !== 4) throw new RangeError(`rotary takes [batch, heads, time, d], not ${formatShape(x.shape)}`);
    return { shape: x.shape, type: x.type };
  },
  gatherRows: (inputs) => {
    const [table, indices] = [operand(inputs, 0), operand(inputs, 1)];
    if (indices.type !== "int64") throw new TypeError(`row indices must be int64, not ${indices.type}`);
    return { shape: [...indices.shape, ...table.shape.slice(1)], type: table.type };
  },
  scatterAddRows: (inputs) => same(inputs, {}),
  tokenLogProbs: (inputs) => ({ shape: operand(inputs, 0).shape.slice(0, -1), type: "float32" }),
  addAtToken: same,
};
