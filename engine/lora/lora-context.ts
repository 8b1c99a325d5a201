/** How LoRA enters a graph: its matrices are inputs, so that an adapter is swapped by passing other arrays. */
import type { Architecture, ParameterContext } from "../architectures/architecture.ts";
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { HostTensor } from "../runtime/session.ts";
import { type LoraAdapter, type LoraShape, scalingOf, targetedModules } from "./adapter.ts";

export interface TrainableLora {
  adapt: NonNullable<ParameterContext["adapt"]>;
  /** The input tensors in the order a, b of each targeted module: what gradients are wanted for. */
  parameters: readonly { module: string; matrix: "a" | "b"; tensor: Tensor }[];
}

const inputName = (module: string, matrix: "a" | "b") => `lora:${module}.${matrix}`;

/** One adapter for all rows: x -> scaling (x A^T) B^T, with `lora:<module>.a` [rank, in] and `.b` [out, rank] as inputs. */
export function trainableLora(architecture: Architecture, shape: LoraShape): TrainableLora {
  const parameters: { module: string; matrix: "a" | "b"; tensor: Tensor }[] = [];
  const byModule = new Map<string, { a: Tensor; b: Tensor }>();
  for (const { name, inputSize, outputSize } of targetedModules(architecture, shape)) {
    const a = ops.input(inputName(name, "a"), [shape.rank, inputSize]);
    const b = ops.input(inputName(name, "b"), [outputSize, shape.rank]);
    parameters.push({ module: name, matrix: "a", tensor: a }, { module: name, matrix: "b", tensor: b });
    byModule.set(name, { a, b });
  }
  return {
    parameters,
    adapt(module, x) {
      const pair = byModule.get(module);
      if (pair === undefined) return null;
      const low = ops.matmul(x, ops.transposeLast(pair.a));
      return ops.matmul(ops.scale(low, scalingOf(shape)), ops.transposeLast(pair.b));
    },
  };
}

/** Feeds for a graph built with `trainableLora`. */
export function loraFeeds(architecture: Architecture, adapter: LoraAdapter): Record<string, HostTensor> {
  const { rank } = adapter.shape;
  const feeds: Record<string, HostTensor> = {};
  for (const { name, inputSize, outputSize } of targetedModules(architecture, adapter.shape)) {
    const pair = adapter.matrices.get(name);
    if (pair === undefined) throw new Error(`the adapter has no matrices for ${name}`);
    feeds[inputName(name, "a")] = { data: pair.a, shape: [rank, inputSize] };
    feeds[inputName(name, "b")] = { data: pair.b, shape: [outputSize, rank] };
  }
  return feeds;
}
