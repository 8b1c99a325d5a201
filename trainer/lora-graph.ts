/** Graphs over a frozen base model with one trainable adapter, shared by fine-tuning and PPO. */
import type { Architecture, ParameterContext } from "../engine/architectures/architecture.ts";
import type { BaseModel } from "../engine/checkpoint/base-model.ts";
import { gradients } from "../engine/graph/autodiff.ts";
import * as ops from "../engine/graph/ops.ts";
import type { Tensor } from "../engine/graph/tensor.ts";
import { type LoraAdapter, type LoraShape, scalingOf, targetedModules } from "../engine/lora/adapter.ts";
import { type TrainableLora, trainableLora } from "../engine/lora/lora-context.ts";

export interface LoraModel {
  context: ParameterContext;
  lora: TrainableLora;
}

/** Base weights as constants (which the runtime packs once for its matrix products), LoRA matrices as inputs. */
export function loraModel(base: BaseModel, shape: LoraShape): LoraModel {
  const lora = trainableLora(base.architecture, shape);
  return { context: { ...base.frozen(), adapt: lora.adapt }, lora };
}

/** An adapter that stays as it is: its matrices are weights of the graph, to be found in `tensors`. */
export function frozenLora(
  architecture: Architecture,
  { shape, matrices }: LoraAdapter,
): { adapt: NonNullable<ParameterContext["adapt"]>; tensors: Map<string, Float32Array> } {
  const tensors = new Map<string, Float32Array>();
  const pairs = new Map<string, { a: Tensor; b: Tensor }>();
  for (const { name, inputSize, outputSize } of targetedModules(architecture, shape)) {
    const pair = matrices.get(name);
    if (pair === undefined) throw new Error(`the adapter has no matrices for ${name}`);
    const [a, b] = [`frozen:${name}.a`, `frozen:${name}.b`];
    tensors.set(a, pair.a).set(b, pair.b);
    pairs.set(name, { a: ops.weight(a, [shape.rank, inputSize]), b: ops.weight(b, [outputSize, shape.rank]) });
  }
  return {
    tensors,
    adapt(module, x) {
      const pair = pairs.get(module);
      if (pair === undefined) return null;
      const low = ops.scale(ops.matmul(x, ops.transposeLast(pair.a)), scalingOf(shape));
      return ops.matmul(low, ops.transposeLast(pair.b));
    },
  };
}

/** A LoRA matrix by the name it has in gradients, optimizer states and checkpoints. */
export const matrixName = (module: string, matrix: "a" | "b") => `${module}.${matrix}`;

/** d loss / d each LoRA matrix, as outputs called `gradient:<matrix name>`. */
export function loraGradients(loss: Tensor, { parameters }: TrainableLora): Record<string, Tensor> {
  const found = gradients(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const named = parameters.map(
    ({ module, matrix }, index) => [`gradient:${matrixName(module, matrix)}`, found[index] as Tensor] as const,
  );
  return Object.fromEntries(named);
}

/** The adapter's matrices by name: the arrays themselves, so that an optimizer's change is the adapter's. */
export function matricesOf(adapter: LoraAdapter): Map<string, Float32Array> {
  const named = new Map<string, Float32Array>();
  for (const [module, { a, b }] of adapter.matrices) {
    named.set(matrixName(module, "a"), a);
    named.set(matrixName(module, "b"), b);
  }
  return named;
}

/** The sum of two sets of arrays of the same names and sizes. */
export function addArrays(
  left: ReadonlyMap<string, Float32Array>,
  right: ReadonlyMap<string, Float32Array>,
): Map<string, Float32Array> {
  return new Map(
    [...left].map(([name, values]) => [name, values.map((value, i) => value + (right.get(name)?.[i] ?? Number.NaN))]),
  );
}
