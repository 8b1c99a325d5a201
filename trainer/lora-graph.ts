/** Graphs over a frozen base model with one trainable adapter, shared by fine-tuning and PPO. */
import { type ParameterContext, rememberWeights } from "../engine/architectures/architecture.ts";
import type { Checkpoint } from "../engine/checkpoint/checkpoint.ts";
import { gradients } from "../engine/graph/autodiff.ts";
import * as ops from "../engine/graph/ops.ts";
import type { Tensor } from "../engine/graph/tensor.ts";
import type { LoraAdapter, LoraShape } from "../engine/lora/adapter.ts";
import { type TrainableLora, trainableLora } from "../engine/lora/lora-context.ts";
import type { SessionOptions } from "../engine/runtime/session.ts";

export interface LoraModel {
  context: ParameterContext;
  lora: TrainableLora;
}

/** Base weights as constants (which the runtime packs once for its matrix products), LoRA matrices as inputs. */
export function loraModel({ architecture }: Checkpoint, shape: LoraShape): LoraModel {
  const lora = trainableLora(architecture, shape);
  const weight = rememberWeights((name, dims) => ops.weight(name, dims));
  return { context: { weight, adapt: lora.adapt }, lora };
}

/** Where a session finds the base weights: one buffer a tensor, under its own name. */
export function frozenWeights({ weights }: Checkpoint): Required<Pick<SessionOptions, "buffers" | "locate">> {
  const entries = [...weights].map(
    ([name, data]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] as const,
  );
  const buffers = Object.fromEntries(entries);
  return { buffers, locate: (name) => ({ file: name, offset: 0, length: buffers[name]?.byteLength ?? 0 }) };
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
