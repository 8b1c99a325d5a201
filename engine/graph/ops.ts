/**
 * The words of the graph language: one function an op, each returning a new expression.
 * Shapes are checked here, at building time, so that a mistake is named where it was made.
 */
import type { OpAttributes, OpName } from "./op-names.ts";
import { type Dim, type ElementType, formatShape, normalizeAxis, type Shape } from "./shape.ts";
import { type ShapeRule, shapeRules } from "./shape-rules.ts";
import type { Tensor } from "./tensor.ts";

function node<K extends OpName>(op: K, inputs: readonly Tensor[], attributes: OpAttributes[K]): Tensor {
  const rule: ShapeRule<K> = shapeRules[op];
  try {
    return { op, inputs, attributes, ...rule(inputs, attributes) };
  } catch (cause) {
    const shapes = inputs.map((tensor) => formatShape(tensor.shape)).join(", ");
    throw new Error(`${op}(${shapes}): ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

export const input = (name: string, shape: Shape, type: ElementType = "float32") =>
  node("input", [], { name, shape, type });
export const weight = (name: string, shape: Shape) => node("weight", [], { name, shape });
export const constant = (data: Float32Array | BigInt64Array, shape: Shape) => node("constant", [], { data, shape });
export const scalar = (value: number) => constant(Float32Array.of(value), []);
export const zeros = (shape: Shape) => node("zeros", [], { shape });

/** x itself, as a constant to differentiation. */
export const stopGradient = (x: Tensor) => node("stopGradient", [x], {});
export const neg = (x: Tensor) => node("neg", [x], {});
export const exp = (x: Tensor) => node("exp", [x], {});
export const log = (x: Tensor) => node("log", [x], {});
export const sqrt = (x: Tensor) => node("sqrt", [x], {});
export const reciprocal = (x: Tensor) => node("reciprocal", [x], {});
export const sigmoid = (x: Tensor) => node("sigmoid", [x], {});
export const tanh = (x: Tensor) => node("tanh", [x], {});
export const erf = (x: Tensor) => node("erf", [x], {});
/** x P(N(0, 1) <= x), exactly or by a hyperbolic tangent (Hendrycks & Gimpel 2016). */
export const gelu = (x: Tensor, approximate: "none" | "tanh") => node("gelu", [x], { approximate });

export const add = (a: Tensor, b: Tensor) => node("add", [a, b], {});
export const sub = (a: Tensor, b: Tensor) => node("sub", [a, b], {});
export const mul = (a: Tensor, b: Tensor) => node("mul", [a, b], {});
export const div = (a: Tensor, b: Tensor) => node("div", [a, b], {});
export const minimum = (a: Tensor, b: Tensor) => node("minimum", [a, b], {});
export const maximum = (a: Tensor, b: Tensor) => node("maximum", [a, b], {});
/** a <= b, as bool. */
export const lessOrEqual = (a: Tensor, b: Tensor) => node("lessOrEqual", [a, b], {});
export const where = (condition: Tensor, a: Tensor, b: Tensor) => node("where", [condition, a, b], {});
export const scale = (x: Tensor, factor: number) => mul(x, scalar(factor));
export const clamp = (x: Tensor, low: number, high: number) => minimum(maximum(x, scalar(low)), scalar(high));

/** [..., m, k] x [..., k, n] -> [..., m, n]; leading axes broadcast. */
export const matmul = (a: Tensor, b: Tensor) => node("matmul", [a, b], {});
export const transpose = (x: Tensor, permutation: readonly number[]) => node("transpose", [x], { permutation });
/** Swaps the last two axes. */
export function transposeLast(x: Tensor): Tensor {
  const rank = x.shape.length;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), rank - 1, rank - 2]);
}
/** At most one axis may change in a way that only the data's size settles. */
export const reshape = (x: Tensor, shape: Shape) => node("reshape", [x], { shape });
export const expand = (x: Tensor, shape: Shape) => node("expand", [x], { shape });
export const slice = (x: Tensor, axis: number, start: Dim, length: Dim) =>
  node("slice", [x], { axis: normalizeAxis(axis, x.shape.length), start, length });
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (first === undefined) throw new RangeError("concat needs at least one tensor");
  return parts.length === 1 ? first : node("concat", parts, { axis: normalizeAxis(axis, first.shape.length) });
}

export const reduceSum = (x: Tensor, axes: readonly number[], keepDims = false) =>
  node("reduceSum", [x], { axes: axes.map((axis) => normalizeAxis(axis, x.shape.length)), keepDims });
export const sumAll = (x: Tensor) =>
  reduceSum(
    x,
    x.shape.map((_, axis) => axis),
  );

/** Over the last axis. */
export const softmax = (x: Tensor) => node("softmax", [x], {});
export const logSoftmax = (x: Tensor) => node("logSoftmax", [x], {});

/** x / sqrt(mean(x^2) + epsilon) * weight over the last axis (Zhang & Sennrich 2019). */
export const rmsNorm = (x: Tensor, gain: Tensor, epsilon: number) => node("rmsNorm", [x, gain], { epsilon });
/** (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias over the last axis (Ba et al. 2016). */
export const layerNorm = (x: Tensor, gain: Tensor, bias: Tensor, epsilon: number) =>
  node("layerNorm", [x, gain, bias], { epsilon });

/**
 * Rotary position embedding of x [batch, heads, time, d] in the half-split layout of Llama (Su et al. 2021).
 * positions [batch, time] int64; cosines and sines [longest, d/2].
 */
export const rotary = (x: Tensor, positions: Tensor, cosines: Tensor, sines: Tensor) =>
  node("rotary", [x, positions, cosines, sines], {});

/** table [rows, ...] at indices [...]: one row an index. */
export const gatherRows = (table: Tensor, indices: Tensor) => node("gatherRows", [table, indices], {});
/** base [rows, ...] with updates [n, ...] added at row indices [n]; repeated indices accumulate. */
export const scatterAddRows = (base: Tensor, indices: Tensor, updates: Tensor) =>
  node("scatterAddRows", [base, indices, updates], {});

/** Log-probability (nats) of token ids [n] under logits [n, vocabulary] -> [n]. */
export const tokenLogProbs = (logits: Tensor, tokens: Tensor) => node("tokenLogProbs", [logits, tokens], {});
/** x [n, vocabulary] with updates [n] added at column tokens [n]. */
export const addAtToken = (x: Tensor, tokens: Tensor, updates: Tensor) => node("addAtToken", [x, tokens, updates], {});
