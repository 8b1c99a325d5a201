/**
 * The value of a reply so far: a linear function of the model's hidden state, which it does not change (the state is a
 * constant to it), so that a critic that is still wrong cannot spoil the policy's features.
 */
import { gradients } from "../../engine/graph/autodiff.ts";
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import { createSession, type Feeds, floats } from "../../engine/runtime/session.ts";
import type { AdamState } from "../optimizer/adamw.ts";
import { clippedAdamWStep } from "../optimizer/lora-optimizer.ts";
import { fixedPpoSettings } from "./default-settings.ts";

/** `weight` [hidden] and `bias` [1] by name. */
export type ValueHead = ReadonlyMap<"weight" | "bias", Float32Array>;

/** Zero: the first values say nothing rather than something wrong. */
export function createValueHead(hiddenSize: number): ValueHead {
  return new Map([
    ["weight", new Float32Array(hiddenSize)],
    ["bias", new Float32Array(1)],
  ]);
}

/** Values of hidden states [n, hidden] -> [n]. */
export function predictValues(head: ValueHead, hidden: Float32Array): Float32Array {
  const weight = head.get("weight") ?? new Float32Array(0);
  const bias = head.get("bias")?.[0] ?? 0;
  const width = weight.length;
  return Float32Array.from({ length: hidden.length / width }, (_, row) => {
    let sum = bias;
    for (let i = 0; i < width; i++) sum += (hidden[row * width + i] as number) * (weight[i] as number);
    return sum;
  });
}

/** The head as an expression; `parameters` are its inputs `value:weight` and `value:bias`. */
export function valueExpression(hidden: Tensor, hiddenSize: number): { values: Tensor; parameters: Tensor[] } {
  const weight = ops.input("value:weight", [hiddenSize, 1]);
  const bias = ops.input("value:bias", [1]);
  const values = ops.reshape(ops.matmul(ops.stopGradient(hidden), weight), ["targets"]);
  return { values: ops.add(values, bias), parameters: [weight, bias] };
}

export function valueFeeds(head: ValueHead): Feeds {
  const weight = head.get("weight") ?? new Float32Array(0);
  return {
    "value:weight": { data: weight, shape: [weight.length, 1] },
    "value:bias": { data: head.get("bias") ?? new Float32Array(1), shape: [1] },
  };
}

/**
 * Fits the head to value targets while the policy stands still. Changes head and states in place.
 *
 * @param hidden states [n, hidden] before each token
 * @param returns what the rest of each reply earned [n]
 */
export async function fitValueHead(
  head: ValueHead,
  states: ReadonlyMap<string, AdamState>,
  { hidden, returns }: { hidden: Float32Array; returns: Float32Array },
  options: { steps: number; learningRate: number; threads: number; maxGradientNorm: number },
): Promise<void> {
  const count = returns.length;
  const width = hidden.length / count;
  const { values, parameters } = valueExpression(ops.input("hidden", ["targets", width]), width);
  const error = ops.sub(values, ops.input("returns", ["targets"]));
  const loss = ops.scale(ops.sumAll(ops.mul(error, error)), 0.5 / count);
  const [weight, bias] = gradients(loss, parameters) as [Tensor, Tensor];
  const session = await createSession({ weight, bias }, { threads: options.threads });
  const fixed = { hidden: { data: hidden, shape: [count, width] }, returns: { data: returns, shape: [count] } };
  for (let step = 1; step <= options.steps; step++) {
    const found = await session.run({ ...valueFeeds(head), ...fixed });
    const byName = new Map([
      ["weight", floats(found.weight)],
      ["bias", floats(found.bias)],
    ]);
    clippedAdamWStep(head, byName, states, step, {
      ...fixedPpoSettings.adam,
      learningRate: options.learningRate,
      weightDecay: 0,
      maxNorm: options.maxGradientNorm,
    });
  }
  await session.dispose();
}
