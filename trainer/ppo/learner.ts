/** What a PPO run changes: the policy's LoRA matrices, the value head and the optimizer's moments of both. */
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import { matricesOf } from "../lora-graph.ts";
import type { AdamState } from "../optimizer/adamw.ts";
import { checkpointTensors, clippedAdamWStep, createAdamStates } from "../optimizer/lora-optimizer.ts";
import type { PpoSettings } from "../settings.ts";
import { fixedPpoSettings } from "./default-settings.ts";
import type { PpoPass } from "./ppo-pass.ts";
import { createValueHead, type ValueHead } from "./value-head.ts";

export interface Learner {
  policy: LoraAdapter;
  /** The policy's own arrays, by name. */
  matrices: Map<string, Float32Array>;
  moments: Map<string, AdamState>;
  head: ValueHead;
  headMoments: Map<string, AdamState>;
}

/** @param start is copied and stays what it was */
export function createLearner(start: LoraAdapter, hiddenSize: number): Learner {
  const copies = [...start.matrices].map(([name, { a, b }]) => [name, { a: a.slice(), b: b.slice() }] as const);
  const policy = { shape: start.shape, matrices: new Map(copies) };
  const matrices = matricesOf(policy);
  const head = createValueHead(hiddenSize);
  return { policy, matrices, moments: createAdamStates(matrices), head, headMoments: createAdamStates(head) };
}

/** All arrays of a learner under the names that a checkpoint keeps them by. */
export function learnerTensors({ matrices, moments, head, headMoments }: Learner): Map<string, Float32Array> {
  const named = new Map<string, Float32Array>();
  for (const [name, data] of checkpointTensors(matrices, moments)) named.set(`policy:${name}`, data);
  for (const [name, data] of checkpointTensors(head, headMoments)) named.set(`value:${name}`, data);
  return named;
}

/**
 * One optimizer step of policy and value head, each with its own rate and clipping.
 *
 * @param counts steps done before, of each; they are counted up
 * @param learningRate of the policy in this step; the value head's does not change
 * @returns the norm of the policy's gradient before clipping
 */
export function improve(
  learner: Learner,
  pass: PpoPass,
  counts: { updates: number; valueUpdates: number },
  learningRate: number,
  { maxGradientNorm: maxNorm, weightDecay, valueLearningRate }: PpoSettings,
): number {
  const { adam } = fixedPpoSettings;
  counts.updates += 1;
  counts.valueUpdates += 1;
  const valueOptions = { ...adam, maxNorm, learningRate: valueLearningRate, weightDecay: 0 };
  clippedAdamWStep(learner.head, pass.valueGradients, learner.headMoments, counts.valueUpdates, valueOptions);
  const policyOptions = { ...adam, maxNorm, learningRate, weightDecay };
  return clippedAdamWStep(learner.matrices, pass.loraGradients, learner.moments, counts.updates, policyOptions);
}
