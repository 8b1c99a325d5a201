/** How LoRA enters a graph: its matrices are inputs, so that an adapter is swapped by passing other arrays. */
import type { Architecture, LinearModule, ParameterContext } from "../architectures/architecture.ts";
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

/**
 * Several adapters in one batch: every targeted module has stacks `lora:<module>.a` [adapters, rank, in] and `.b`
 * [adapters, out, rank] (scaling already in b), and `adapterRows` [batch] says which one each row uses.
 */
export function gatheredLora(modules: readonly LinearModule[]): NonNullable<ParameterContext["adapt"]> {
  const rows = ops.input("adapterRows", ["batch"], "int64");
  const targeted = new Set(modules.map(({ name }) => name));
  return (module, x, inputSize, outputSize) => {
    if (!targeted.has(module)) return null;
    const stackA = ops.input(inputName(module, "a"), ["adapters", "rank", inputSize]);
    const stackB = ops.input(inputName(module, "b"), ["adapters", outputSize, "rank"]);
    const low = ops.matmul(x, ops.transposeLast(ops.gatherRows(stackA, rows)));
    return ops.matmul(low, ops.transposeLast(ops.gatherRows(stackB, rows)));
  };
}

/** Feeds for `gatheredLora`: row 0 is the base model (zeros), row i the i-th adapter. Ranks are padded with zeros. */
export function stackAdapters(
  modules: readonly LinearModule[],
  adapters: readonly LoraAdapter[],
): Record<string, HostTensor> {
  const rank = Math.max(1, ...adapters.map(({ shape }) => shape.rank));
  const count = adapters.length + 1;
  const feeds: Record<string, HostTensor> = {};
  for (const { name, inputSize, outputSize } of modules) {
    const a = new Float32Array(count * rank * inputSize);
    const b = new Float32Array(count * outputSize * rank);
    adapters.forEach((adapter, index) => {
      const pair = adapter.matrices.get(name);
      if (pair === undefined) return;
      const own = adapter.shape.rank;
      const scaling = scalingOf(adapter.shape);
      a.set(pair.a, (index + 1) * rank * inputSize);
      for (let row = 0; row < outputSize; row++) {
        for (let r = 0; r < own; r++) {
          b[((index + 1) * outputSize + row) * rank + r] = scaling * (pair.b[row * own + r] as number);
        }
      }
    });
    feeds[inputName(name, "a")] = { data: a, shape: [count, rank, inputSize] };
    feeds[inputName(name, "b")] = { data: b, shape: [count, outputSize, rank] };
  }
  return feeds;
}
