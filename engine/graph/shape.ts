/**
 * Shapes of tensor expressions. Dimensions are numbers or names. A name stands for one size wherever it occurs in a
 * graph; sums of products such as `"past+time"` or `"2*batch*time"` are names too, and are resolved from the sizes of
 * the graph's inputs when it runs.
 */

export type Dim = number | string;
export type Shape = readonly Dim[];
export type ElementType = "float32" | "float16" | "int64" | "int8" | "uint8" | "bool";

export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Size of `a + b` as a dimension; names combine to `"a+b"`. */
export function sumDims(a: Dim, b: Dim): Dim {
  if (a === 0) return b;
  if (b === 0) return a;
  return typeof a === "number" && typeof b === "number" ? a + b : `${a}+${b}`;
}

/** Size of `a * b` as a dimension; names combine to `"a*b"`, sums term by term. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === "number" && typeof b === "number") return a * b;
  const terms = (dim: Dim) => String(dim).split("+");
  return terms(a)
    .flatMap((left) => terms(b).map((right) => `${left}*${right}`))
    .join("+");
}

/** Counts axes from the end when negative. @throws RangeError outside the rank. */
export function normalizeAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) throw new RangeError(`axis ${axis} is outside a tensor of rank ${rank}`);
  return positive;
}
