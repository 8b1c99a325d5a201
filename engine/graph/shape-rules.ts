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

/** @throws TypeError, RangeError saying which operand should have been what */
function demand(what: string, tensor: Tensor, type: ElementType, shape: Shape = tensor.shape): void {
  if (tensor.type !== type) throw new TypeError(`${what} must be ${type}, not ${tensor.type}`);
  if (formatShape(tensor.shape) !== formatShape(shape)) {
    throw new RangeError(`${what} must have shape ${formatShape(shape)}, not ${formatShape(tensor.shape)}`);
  }
}

const real: ShapeRule<OpName> = (inputs) => {
  const x = operand(inputs, 0);
  demand("the operand", x, "float32");
  return { shape: x.shape, type: "float32" };
};

/** Works along the last axis, so there must be one. */
const realRows: ShapeRule<OpName> = (inputs, attributes) => {
  if (operand(inputs, 0).shape.length === 0) throw new RangeError("the operand must have an axis, but is a scalar");
  return real(inputs, attributes);
};

const elementwise: ShapeRule<OpName> = (inputs) => {
  const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
  if (a.type !== b.type) throw new TypeError(`operands are of different types: ${a.type} and ${b.type}`);
  return { shape: broadcastShapes(a.shape, b.shape), type: a.type };
};

const declared = (shape: Shape, type: ElementType): TypedShape => ({ shape, type });

export const shapeRules: { [K in OpName]: ShapeRule<K> } = {
  input: (_, { shape, type }) => declared(shape, type),
  weight: (_, { shape }) => declared(shape, "float32"),
  constant: (_, { shape, data }) => {
    const size = shape.reduce<number>((product, dim) => product * Number(dim), 1);
    if (size !== data.length) throw new RangeError(`shape ${formatShape(shape)} does not hold ${data.length} values`);
    return declared(shape, data instanceof Float32Array ? "float32" : "int64");
  },
  zeros: (_, { shape }) => declared(shape, "float32"),
  stopGradient: same,
  neg: real,
  exp: real,
  log: real,
  sqrt: real,
  reciprocal: real,
  sigmoid: real,
  tanh: real,
  erf: real,
  gelu: real,
  add: elementwise,
  sub: elementwise,
  mul: elementwise,
  div: elementwise,
  minimum: elementwise,
  maximum: elementwise,
  lessOrEqual: (inputs, attributes) => ({ shape: elementwise(inputs, attributes).shape, type: "bool" }),
  where: (inputs) => {
    const [condition, a, b] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    demand("the condition", condition, "bool");
    demand("the second choice", b, a.type);
    return { shape: broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape)), type: a.type };
  },
  matmul: (inputs) => {
    for (const tensor of inputs) demand("a factor", tensor, "float32");
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
  slice: (inputs, { axis, start, length }) => {
    const { shape, type } = operand(inputs, 0);
    const at = normalizeAxis(axis, shape.length);
    const [size, end] = [shape[at], sumDims(start, length)];
    const outside = typeof size === "number" && typeof end === "number" && end > size;
    if (outside || Number(start) < 0 || Number(length) < 0) {
      throw new RangeError(`cannot take ${length} from ${start} on along axis ${axis} of ${formatShape(shape)}`);
    }
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
  softmax: realRows,
  logSoftmax: realRows,
  rmsNorm: (inputs) => {
    const [x, weight] = [operand(inputs, 0), operand(inputs, 1)];
    demand("the operand", x, "float32");
    demand("the weight", weight, "float32", x.shape.slice(-1));
    return { shape: x.shape, type: x.type };
  },
  layerNorm: (inputs) => {
    const [x, weight, bias] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    demand("the operand", x, "float32");
    demand("the weight", weight, "float32", x.shape.slice(-1));
    demand("the bias", bias, "float32", x.shape.slice(-1));
    return { shape: x.shape, type: x.type };
  },
  rotary: (inputs) => {
    const x = operand(inputs, 0);
    const [batch, , time, size] = x.shape;
    if (
      batch === undefined ||
      time === undefined ||
      x.shape.length !== 4 ||
      typeof size !== "number" ||
      size % 2 !== 0
    ) {
      throw new RangeError(`rotary takes [batch, heads, time, even d], not ${formatShape(x.shape)}`);
    }
    const [positions, cosines, sines] = [operand(inputs, 1), operand(inputs, 2), operand(inputs, 3)];
    demand("positions", positions, "int64", [batch, time]);
    demand("cosines", cosines, "float32", [cosines.shape[0] ?? 1, size / 2]);
    demand("sines", sines, "float32", cosines.shape);
    return { shape: x.shape, type: x.type };
  },
  gatherRows: (inputs) => {
    const [table, indices] = [operand(inputs, 0), operand(inputs, 1)];
    demand("row indices", indices, "int64");
    if (table.shape.length === 0) throw new RangeError("a scalar has no rows");
    return { shape: [...indices.shape, ...table.shape.slice(1)], type: table.type };
  },
  scatterAddRows: (inputs) => {
    const [base, indices, updates] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    const count = updates.shape[0] ?? 1;
    demand("row indices", indices, "int64", [count]);
    demand("updates", updates, base.type, [count, ...base.shape.slice(1)]);
    return { shape: base.shape, type: base.type };
  },
  tokenLogProbs: (inputs) => {
    const [logits, tokens] = [operand(inputs, 0), operand(inputs, 1)];
    const [rows, vocabulary] = logits.shape;
    if (rows === undefined || vocabulary === undefined || logits.shape.length !== 2) {
      throw new RangeError(`logits must be [n, vocabulary], not ${formatShape(logits.shape)}`);
    }
    demand("logits", logits, "float32");
    demand("tokens", tokens, "int64", [rows]);
    return { shape: [rows], type: "float32" };
  },
  addAtToken: (inputs) => {
    const [x, tokens, updates] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    const [rows] = x.shape;
    if (rows === undefined || x.shape.length !== 2) {
      throw new RangeError(`the operand must be [n, vocabulary], not ${formatShape(x.shape)}`);
    }
    demand("tokens", tokens, "int64", [rows]);
    demand("updates", updates, x.type, [rows]);
    return { shape: x.shape, type: x.type };
  },
};
