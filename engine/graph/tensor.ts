/** A tensor expression: a node of an immutable graph that knows its shape and element type before anything runs. */
import type { OpAttributes, OpName } from "./op-names.ts";
import type { ElementType, Shape } from "./shape.ts";

export interface Tensor {
  readonly op: OpName;
  readonly inputs: readonly Tensor[];
  readonly attributes: OpAttributes[OpName];
  readonly shape: Shape;
  readonly type: ElementType;
}
