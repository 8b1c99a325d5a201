/** Activation functions by the names that config.json gives them. */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";

const silu = (x: Tensor) => ops.mul(x, ops.sigmoid(x));
const gelu = (x: Tensor) => ops.gelu(x, "none");
const geluByTanh = (x: Tensor) => ops.gelu(x, "tanh");

export const activations = {
  silu,
  swish: silu,
  relu: (x: Tensor) => ops.maximum(x, ops.scalar(0)),
  gelu,
  // The same formula, written in different ways.
  gelu_new: geluByTanh,
  gelu_fast: geluByTanh,
  gelu_pytorch_tanh: geluByTanh,
} as const;

export type Activation = keyof typeof activations;
export const activationNames = Object.keys(activations) as Activation[];
