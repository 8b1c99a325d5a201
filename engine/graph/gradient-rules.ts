/**
 * How each op passes a gradient back: given the node and the gradient g of the loss by its output, one expression
 * an input (null where nothing flows). The derivative stands above each rule. Un-broadcasting happens in one place,
 * in the reverse walk.
 */
import type { OpAttributes, OpName } from "./op-names.ts";
import * as ops from "./ops.ts";
import { type Dim, multiplyDims, type Shape, sumDims } from "./shape.ts";
import { operand } from "./shape-rules.ts";
import type { Tensor } from "./tensor.ts";

export type GradientRule<K extends OpName> = (
  g: Tensor,
  inputs: readonly Tensor[],
  attributes: OpAttributes[K],
  output: Tensor,
) => readonly (Tensor | null)[];

const none: GradientRule<OpName> = (_g, inputs) => inputs.map(() => null);

function keptShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((dim, axis): Dim => (axes.includes(axis) ? 1 : dim));
}

export const gradientRules: { [K in OpName]: GradientRule<K> } = {
  input: none,
  weight: none,
  constant: none,
  zeros: none,
  stopGradient: none,
  // d(-x) = -dx
  neg: (g) => [ops.neg(g)],
  // d e^x = e^x dx
  exp: (g, _inputs, _attributes, y) => [ops.mul(g, y)],
  // d ln x = dx / x
  log: (g, inputs) => [ops.div(g, operand(inputs, 0))],
  // d sqrt(x) = dx / (2 sqrt(x))
  sqrt: (g, _inputs, _attributes, y) => [ops.div(ops.scale(g, 0.5), y)],
  // d(1/x) = -dx / x^2
  reciprocal: (g, _inputs, _attributes, y) => [ops.neg(ops.mul(g, ops.mul(y, y)))],
  // d s(x) = s (1 - s) dx
  sigmoid: (g, _inputs, _attributes, y) => [ops.mul(g, ops.mul(y, ops.sub(ops.scalar(1), y)))],
  // d tanh x = (1 - tanh^2 x) dx
  tanh: (g, _inputs, _attributes, y) => [ops.mul(g, ops.sub(ops.scalar(1), ops.mul(y, y)))],
  // d erf(x) = 2 / sqrt(pi) e^(-x^2) dx
  erf: (g, inputs) => {
    const x = operand(inputs, 0);
    return [ops.mul(g, ops.scale(ops.exp(ops.neg(ops.mul(x, x))), 2 / Math.sqrt(Math.PI)))];
  },
  // d x P(x) = (P(x) + x P'(x)) dx, P the normal distribution function or (1 + tanh(u)) / 2 with u = c (x + a x^3)
  gelu: (g, inputs, { approximate }) => {
    const x = operand(inputs, 0);
    const one = ops.scalar(1);
    const square = ops.mul(x, x);
    if (approximate === "none") {
      const distribution = ops.scale(ops.add(one, ops.erf(ops.scale(x, Math.SQRT1_2))), 0.5);
      const density = ops.scale(ops.exp(ops.scale(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [ops.mul(g, ops.add(distribution, ops.mul(x, density)))];
    }
    const [a, c] = [0.044715, Math.sqrt(2 / Math.PI)];
    const t = ops.tanh(ops.scale(ops.mul(x, ops.add(one, ops.scale(square, a))), c));
    const slope = ops.scale(ops.add(one, ops.scale(square, 3 * a)), 0.5 * c);
    const density = ops.mul(ops.sub(one, ops.mul(t, t)), slope);
    return [ops.mul(g, ops.add(ops.scale(ops.add(one, t), 0.5), ops.mul(x, density)))];
  },
  // d(a + b) = da + db
  add: (g) => [g, g],
  // d(a - b) = da - db
  sub: (g) => [g, ops.neg(g)],
  // d(ab) = b da + a db
  mul: (g, inputs) => [ops.mul(g, operand(inputs, 1)), ops.mul(g, operand(inputs, 0))],
  // d(a/b) = da / b - (a/b) db / b
  div: (g, inputs, _attributes, y) => {
    const b = operand(inputs, 1);
    return [ops.div(g, b), ops.neg(ops.div(ops.mul(g, y), b))];
  },
  // The smaller operand gets the gradient; a tie goes to the first.
  minimum: (g, inputs) => {
    const first = ops.lessOrEqual(operand(inputs, 0), operand(inputs, 1));
    return [ops.where(first, g, ops.scalar(0)), ops.where(first, ops.scalar(0), g)];
  },
  // The larger operand gets the gradient; a tie goes to the first.
  maximum: (g, inputs) => {
    const first = ops.lessOrEqual(operand(inputs, 1), operand(inputs, 0));
    return [ops.where(first, g, ops.scalar(0)), ops.where(first, ops.scalar(0), g)];
  },
  lessOrEqual: none,
  // The chosen branch gets the gradient.
  where: (g, inputs) => {
    const condition = operand(inputs, 0);
    return [null, ops.where(condition, g, ops.scalar(0)), ops.where(condition, ops.scalar(0), g)];
  },
  // d(AB) = dA B + A dB, so gA = g B^T and gB = A^T g
  matmul: (g, inputs) => {
    const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
    // A plain matrix on the right: fold the leading axes into rows, one product instead of a batch to be summed.
    if (b.shape.length === 2 && a.shape.length > 2) {
      const rows = a.shape.slice(0, -1).reduce(multiplyDims);
      const flatA = ops.reshape(a, [rows, a.shape.at(-1) as Dim]);
      const flatG = ops.reshape(g, [rows, g.shape.at(-1) as Dim]);
      return [ops.matmul(g, ops.transposeLast(b)), ops.matmul(ops.transposeLast(flatA), flatG)];
    }
    return [ops.matmul(g, ops.transposeLast(b)), ops.matmul(ops.transposeLast(a), g)];
  },
  // The inverse permutation.
  transpose: (g, _inputs, { permutation }) => [
    ops.transpose(
      g,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  reshape: (g, inputs) => [ops.reshape(g, operand(inputs, 0).shape)],
  // The reverse walk sums over the axes that were expanded.
  expand: (g) => [g],
  // Zeros where nothing was taken.
  slice: (g, inputs, { axis, start, length }) => {
    const x = operand(inputs, 0);
    const total = x.shape[axis] as Dim;
    if (typeof total !== "number" || typeof start !== "number" || typeof length !== "number") {
      throw new Error(`no gradient through a slice of unknown size along axis ${axis} of [${x.shape.join(", ")}]`);
    }
    const gap = (size: number) => ops.zeros(x.shape.map((dim, index) => (index === axis ? size : dim)));
    const parts = [gap(start), g, gap(total - start - length)].filter((part) => part.shape[axis] !== 0);
    return [ops.concat(parts, axis)];
  },
  // Each part gets its stretch back.
  concat: (g, inputs, { axis }) => {
    let start: Dim = 0;
    return inputs.map((part) => {
      const length = part.shape[axis] as Dim;
      const piece = ops.slice(g, axis, start, length);
      start = sumDims(start, length);
      return piece;
    });
  },
  // d sum(x) = sum(dx): every summand gets g.
  reduceSum: (g, inputs, { axes }) => {
    const x = operand(inputs, 0);
    return [ops.expand(ops.reshape(g, keptShape(x.shape, axes)), x.shape)];
  },
  // y = softmax(x): gx = y (g - sum(g y))
  softmax: (g, _inputs, _attributes, y) => [ops.mul(y, ops.sub(g, ops.reduceSum(ops.mul(g, y), [-1], true)))],
  // y = logSoftmax(x): gx = g - softmax(x) sum(g)
  logSoftmax: (g, _inputs, _attributes, y) => [ops.sub(g, ops.mul(ops.exp(y), ops.reduceSum(g, [-1], true)))],
  // y = x r w, r = (mean(x^2) + e)^(-1/2): gx = r (g w) - x r^3 mean(g w x), gw = sum over rows of g x r
  rmsNorm: (g, inputs, { epsilon }) => {
    const [x, gain] = [operand(inputs, 0), operand(inputs, 1)];
    const size = x.shape.at(-1);
    if (typeof size !== "number") throw new Error("no gradient through rmsNorm over an axis of unknown size");
    const mean = (t: Tensor) => ops.scale(ops.reduceSum(t, [-1], true), 1 / size);
    const r = ops.reciprocal(ops.sqrt(ops.add(mean(ops.mul(x, x)), ops.scalar(epsilon))));
    const weighted = ops.mul(g, gain);
    const normalized = ops.mul(x, r);
    const along = mean(ops.mul(weighted, normalized));
    return [ops.mul(r, ops.sub(weighted, ops.mul(normalized, along))), ops.mul(g, normalized)];
  },
  // y = n w + b, n = (x - mean(x)) r, r = (variance(x) + e)^(-1/2), h = g w:
  // gx = r (h - mean(h) - n mean(h n)), gw = sum over rows of g n, gb = sum over rows of g
  layerNorm: (g, inputs, { epsilon }) => {
    const [x, gain] = [operand(inputs, 0), operand(inputs, 1)];
    const size = x.shape.at(-1);
    if (typeof size !== "number") throw new Error("no gradient through layerNorm over an axis of unknown size");
    const mean = (t: Tensor) => ops.scale(ops.reduceSum(t, [-1], true), 1 / size);
    const centered = ops.sub(x, mean(x));
    const r = ops.reciprocal(ops.sqrt(ops.add(mean(ops.mul(centered, centered)), ops.scalar(epsilon))));
    const normalized = ops.mul(centered, r);
    const weighted = ops.mul(g, gain);
    const along = ops.add(mean(weighted), ops.mul(normalized, mean(ops.mul(weighted, normalized))));
    return [ops.mul(r, ops.sub(weighted, along)), ops.mul(g, normalized), g];
  },
  // A rotation's transpose is the rotation by the negative angle.
  rotary: (g, inputs) => {
    const [positions, cosines, sines] = [operand(inputs, 1), operand(inputs, 2), operand(inputs, 3)];
    return [ops.rotary(g, positions, cosines, ops.neg(sines)), null, null, null];
  },
  // Rows add up the gradients of all their uses.
  gatherRows: (g, inputs) => {
    const [table, indices] = [operand(inputs, 0), operand(inputs, 1)];
    const count = indices.shape.reduce(multiplyDims, 1);
    const updates = ops.reshape(g, [count, ...table.shape.slice(1)]);
    return [ops.scatterAddRows(ops.zeros(table.shape), ops.reshape(indices, [count]), updates), null];
  },
  // d(base + scattered updates): the updates get the rows they were added to.
  scatterAddRows: (g, inputs) => [g, null, ops.gatherRows(g, operand(inputs, 1))],
  // y = x_t - ln sum exp x: gx = g (onehot(t) - softmax(x))
  tokenLogProbs: (g, inputs) => {
    const [logits, tokens] = [operand(inputs, 0), operand(inputs, 1)];
    const column = ops.reshape(g, [...g.shape, 1]);
    return [ops.addAtToken(ops.mul(ops.softmax(logits), ops.neg(column)), tokens, g), null];
  },
  // Linear in x and in the updates; the updates' gradient is g at their tokens, as a masked sum.
  addAtToken: (g, inputs) => {
    const [x, tokens, updates] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    const ones = ops.expand(ops.scalar(1), updates.shape);
    const oneHot = ops.addAtToken(ops.zeros(x.shape), tokens, ones);
    return [g, null, ops.reduceSum(ops.mul(g, oneHot), [-1])];
  },
};
