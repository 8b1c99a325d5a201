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
  /** x W^T of a linear layer in place of the float32 product, or null where its weights are not quantized. */
  project?(module: LinearModule, x: Tensor): Tensor | null;
  /** Rows of table `name` at indices in place of those of a float32 tensor, or null where it is one. */
  lookUp?(name: string, indices: Tensor): Tensor | null;
}

/** What frozen weights say of themselves; adapters come on top. */
export type FrozenContext = Pick<ParameterContext, "weight" | "project" | "lookUp">;

export interface TrunkInputs {
  /** Token ids [batch, time], int64. */
  tokens: Tensor;
  /** Position of each token in its sequence [batch, time], int64. */
  positions: Tensor;
  /** Added to the attention scores; a very negative number hides. Broadcasts to [batch, heads, time, past+time]. */
  attentionBias: Tensor;
  /** Keys and values of earlier tokens, a layer each. */
  past?: readonly PastLayer[];
}

export interface PastLayer {
  /** [batch, key/value heads, past, head size]. */
  keys: Tensor;
  values: Tensor;
  /** What each row is still to be multiplied by, [batch, key/value heads, 1, past]; nothing where this is missing. */
  scales?: { keys: Tensor; values: Tensor };
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
  /** Whether `.bias` [output] is added. Default false. */
  bias?: boolean;
  /** Whether the weight is stored [input, output], as GPT-2's are. Default false: [output, input]. */
  transposed?: boolean;
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

/** What the checkpoint must hold for a linear module, with shapes. */
export function linearParameters({ name, inputSize, outputSize, bias, transposed }: LinearModule) {
  const weight = [`${name}.weight`, transposed ? [inputSize, outputSize] : [outputSize, inputSize]] as const;
  return bias ? [weight, [`${name}.bias`, [outputSize]] as const] : [weight];
}

/** x W^T. */
function matrixProduct(context: ParameterContext, module: LinearModule, x: Tensor): Tensor {
  const { name, inputSize, outputSize, transposed } = module;
  const weight = context.weight(`${name}.weight`, transposed ? [inputSize, outputSize] : [outputSize, inputSize]);
  return ops.matmul(x, transposed ? weight : ops.transposeLast(weight));
}

/** x W^T + b: what is frozen of a linear layer, and all there is of the head, which no adapter targets. */
export function project(context: ParameterContext, module: LinearModule, x: Tensor): Tensor {
  const product = context.project?.(module, x) ?? matrixProduct(context, module, x);
  return module.bias ? ops.add(product, context.weight(`${module.name}.bias`, [module.outputSize])) : product;
}

/** x W^T + b (+ the adapter's part). */
export function linear(context: ParameterContext, module: LinearModule, x: Tensor): Tensor {
  const product = project(context, module, x);
  const addition = context.adapt?.(module.name, x, module.inputSize, module.outputSize) ?? null;
  return addition === null ? product : ops.add(product, addition);
}

/** Rows of the table `name` [rows, width] at indices. */
export function lookUp(context: ParameterContext, name: string, shape: Shape, indices: Tensor): Tensor {
  return context.lookUp?.(name, indices) ?? ops.gatherRows(context.weight(name, shape), indices);
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
