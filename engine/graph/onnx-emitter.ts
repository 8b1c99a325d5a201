/** What the ONNX rules of ops write to. */
import type { StoredType } from "./onnx-types.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export type OnnxAttribute = number | string | readonly number[] | { float: number };

export interface OnnxEmitter {
  /** Adds an operator and returns the name of its only output. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes?: Record<string, OnnxAttribute>,
    domain?: string,
  ): string;
  /** Name of a 1-D int64 tensor with these values. */
  int64(values: readonly number[]): string;
  /** Name of a float32 scalar. */
  float(value: number): string;
  /** Name of a small constant of any type, given by its bytes; equal ones are one. */
  initializer(type: StoredType, shape: readonly number[], data: Uint8Array): string;
  /** Name of a weight's bytes read as another type and shape. */
  reinterpret(weight: Tensor, type: StoredType, shape: readonly number[]): string;
  /** Name of a 1-D int64 tensor holding sizes that may be known only at run time. */
  dims(shape: Shape): string;
  /** Name of a graph input, weight or constant. */
  leaf(tensor: Tensor): string;
}
