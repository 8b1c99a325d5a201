/**
 * What every language model architecture says about itself, written once and used for serving, scoring and training.
 */
import * as ops from "../graph/ops.ts";
import type { Shape } from "../graph/shape.ts";
import type { Tensor } from "../graph/tensor.ts";

/** How an architecture's layers get at their parameters: as frozen weights, as inputs, with or without adapters. */
export interface ParameterContext {
  /** The tensor of the checkpoint with this name. */
  weight(name: string, shape: Shape): Tensor;
  /** The adapter's addition to the output of linear layer `module`, or null where it has none. */
  adapt?(module: string, x: Tensor, inputSize: number, outputSize: number): Tensor | null;
}

export interface TrunkInputs {
  /** Token ids [batch, time], int64. */
  tokens: Tensor;
  /** Position of each token in its sequence [batch, time], int64. */
  positions: Tensor;
  /** Added to the attention scores; a very negative number hides. Broadcasts to [batch, heads, time, past+time]. */
  attentionBias: Tensor;
  /** Keys and values of earlier tokens, a layer each: [batch, key/value heads, past, head size]. */
  past?: readonly { keys: Tensor; values: Tensor }[];
}

export interface TrunkOutputs {
  /** Last hidden states after the final norm [batch, time, hidden]. */
  hidden: Tensor;
  /** This step's own keys and values, a layer each: [batch, key/value heads, time, head size]. */
  present: readonly { keys: Tensor; values: Tensor }[];
}

export interface LinearModule {
  /** Name without `.weight`, as in the checkpoint. */
  name: string;
  inputSize: number;
  outputSize: number;
}

/** What a checkpoint of an architecture holds. */
export interface ParameterLayout {
  /** As config.json's `architectures` entry calls it. */
  readonly name: string;
  /** Every tensor the checkpoint must hold, with its shape. */
  readonly parameters: ReadonlyMap<string, readonly number[]>;
  /** Tensors that a checkpoint may hold besides, such as masks and heads that are not used; matched anywhere in a name. */
  readonly ignored?: RegExp;
  /** Other names under which checkpoints hold this parameter, the first found counts; such as without a prefix. */
  aliases?(parameter: string): readonly string[];
}

export interface Architecture extends ParameterLayout {
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly contextLength: number;
  /** The linear layers that an adapter may target. */
  readonly linearModules: readonly LinearModule[];
  trunk(context: ParameterContext, inputs: TrunkInputs): TrunkOutputs;
  /** hidden [..., hidden] -> logits [..., vocabulary]. */
  head(context: ParameterContext, hidden: Tensor): Tensor;
}

/** x W^T (+ the adapter's part), W [output, input] as PyTorch stores it. */
export function linear(
  context: ParameterContext,
  module: string,
  x: Tensor,
  inputSize: number,
  outputSize: number,
): Tensor {
  const weight = context.weight(`${module}.weight`, [outputSize, inputSize]);
  const product = ops.matmul(x, ops.transposeLast(weight));
  const addition = context.adapt?.(module, x, inputSize, outputSize) ?? null;
  return addition === null ? product : ops.add(product, addition);
}

/** Returns the same tensor each time a name is asked for, as tied weights need. */
export function rememberWeights(make: (name: string, shape: Shape) => Tensor): ParameterContext["weight"] {
  const known = new Map<string, Tensor>();
  return (name, shape) => {
    const tensor = known.get(name) ?? make(name, shape);
    known.set(name, tensor);
    return tensor;
  };
}
