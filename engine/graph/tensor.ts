/**
 * A tensor expression: a node of an immutable graph that knows its shape and element type before anything runs.
 *
 * Dimensions are numbers or names. A name stands for one size wherever it occurs in a graph; `"time"` and
 * `"past+time"` or `"batch*time"` may be mixed, and are resolved from the sizes of the graph's inputs when it runs.
 */
import type { OpAttributes, OpName } from "./op-names.ts";

export type Dim = number | string;
export type Shape = readonly Dim[];
export type ElementType = "float32" | "int64" | "bool";

export interface Tensor {
  readonly op: OpName;
  readonly inputs: readonly Tensor[];
  readonly attributes: OpAttributes[OpName];
  readonly shape: Shape;
  readonly type: ElementType;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Size of `a + b` as a dimension; names combine to `"a+b"`. */
export function sumDims(a: Dim, b: Dim): Dim {
  return typeof a === "number" && typeof b === "number" ? a + b : `${a}+${b}`;
}

/** Size of `a * b` as a dimension; names combine to `"a*b"`. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (a === 1) return b;
  if (b === 1) return a;
  return typeof a === "number" && typeof b === "number" ? a * b : `${a}*${b}`;
}

/** Counts axes from the end when negative. @throws RangeError outside the rank. */
export function normalizeAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) throw new RangeError(`axis ${axis} is outside a tensor of rank ${rank}`);
  return positive;
}
