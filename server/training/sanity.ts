import { join } from "node:path";
import { openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";
import type { ModelInfo } from "../../engine/types.ts";
import type { TrainingJob } from "../../trainer/contract.ts";
import { maxProbeDifference } from "../adapters/probe.ts";

/** KL of the trained policy to the reference (nats a reply) above which a candidate is taken to have drifted off. */
export const maxKlToReference = 20;

export interface Candidate {
  algorithm: TrainingJob["algorithm"];
  /** Final metrics of the run. */
  metrics: Readonly<Record<string, number>>;
  /** Names of metrics that were NaN or infinite at any step. */
  nonFinite: readonly string[];
  /** What reading the adapter's tensors found wrong. */
  weightFaults: readonly string[];
  /** Mean |served - trained| log-prob (nats) on the stored sample; null when there is none or the weights are at fault. */
  probeDifference: number | null;
  /** Precision that the run trained in and that is served. */
  quantization: ModelInfo["quantization"];
}

/** Reads every LoRA matrix: all finite, and something learned (a B that is all zero changes nothing). */
export function findWeightFaults(adapterFolder: string): string[] {
  const file = openSafetensors(join(adapterFolder, "adapter_model.safetensors"));
  const faults: string[] = [];
  let learned = false;
  for (const name of file.tensors.keys()) {
    const values = readTensor(file, name);
    if (!values.every(Number.isFinite)) faults.push(`tensor ${name} holds values that are not finite`);
    if (name.includes("lora_B") && values.some((value) => value !== 0)) learned = true;
  }
  if (!learned) faults.push("the adapter is empty: no lora_B matrix differs from zero");
  return faults;
}

/** What speaks against serving a candidate, in words; empty when its run looks sound. */
export function findFaults(candidate: Candidate): string[] {
  const { algorithm, metrics, nonFinite, weightFaults, probeDifference, quantization } = candidate;
  const limit = maxProbeDifference(quantization, quantization);
  if (weightFaults.length > 0) return [...weightFaults];
  const faults: string[] = [];
  if (nonFinite.length > 0) faults.push(`metrics that were not finite numbers: ${nonFinite.join(", ")}`);
  const kl = metrics.klReference;
  if (kl === undefined) {
    if (algorithm === "ppo") faults.push("the run did not report klReference");
  } else if (!(kl <= maxKlToReference)) {
    faults.push(`KL to the reference is ${kl.toFixed(2)} nats a reply, more than ${maxKlToReference}`);
  }
  if (probeDifference === null) {
    faults.push("rejoinder.json holds no probe, so that served and trained log-probs cannot be compared");
  } else if (!(probeDifference <= limit)) {
    faults.push(`served log-probs differ from the trainer's by ${probeDifference.toFixed(4)} nats, more than ${limit}`);
  }
  return faults;
}
