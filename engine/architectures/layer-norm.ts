/** LayerNorm with the weight and bias of a named module. */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { ParameterContext } from "./architecture.ts";

/** @param name without `.weight` and `.bias`, as in the checkpoint */
export function layerNorm(context: ParameterContext, name: string, x: Tensor, epsilon: number): Tensor {
  const size = x.shape.slice(-1);
  return ops.layerNorm(x, context.weight(`${name}.weight`, size), context.weight(`${name}.bias`, size), epsilon);
}
