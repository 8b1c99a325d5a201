/** The linear reward model: hashed n-grams and one 8-bit weight each, run without a graph. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openSafetensors, readRange } from "../../engine/checkpoint/safetensors.ts";
import { type LinearConfig, parseLinearConfig } from "../linear/config.ts";
import { linearScore } from "../linear/raw-score.ts";
import type { RewardModel, ToxicityScore } from "../types.ts";

/** Log-odds of a text without a word, as the embedded classifier has it. */
const emptyLogit = -4;

/**
 * Loads a folder as `reward/train/train-judge.ts` writes it.
 * @throws Error naming the file, and the tensor where one is to blame
 */
export async function loadLinearClassifier(folder: string): Promise<RewardModel> {
  const configPath = join(folder, "config.json");
  const configText = readFileSync(configPath, "utf8");
  const config = parseLinearConfig(configText, configPath);
  const weightsPath = join(folder, config.weights.file);
  const weights = readWeights(config, weightsPath);
  const version = createHash("sha256").update(configText).update(readFileSync(weightsPath)).digest("hex").slice(0, 12);
  return {
    name: config.name,
    version,
    score: async (texts) => texts.map((text) => scoreText(text, weights, config)),
    dispose: async () => {},
  };
}

function readWeights(config: LinearConfig, path: string): Int8Array {
  const stored = openSafetensors(path).tensors.get("weight");
  const expected = `an I8 tensor weight [${config.buckets}] by config.json`;
  if (stored === undefined) throw new Error(`${path}: expected ${expected}, found none`);
  if (stored.type !== "I8" || stored.shape.join() !== `${config.buckets}`) {
    throw new Error(`${path}: expected ${expected}, got ${stored.type} [${stored.shape.join(", ")}]`);
  }
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (sha256 !== config.weights.sha256) {
    throw new Error(`${path}: expected sha256 ${config.weights.sha256} by config.json, got ${sha256}`);
  }
  return new Int8Array(readRange(path, stored.offset, stored.length).buffer);
}

function scoreText(text: string, weights: Int8Array, { weightStep, calibration }: LinearConfig): ToxicityScore {
  const raw = linearScore(text, weights, weightStep);
  const logit = raw === null ? emptyLogit : calibration.scale * raw + calibration.offset;
  const toxicity = 1 / (1 + Math.exp(-logit));
  return { toxicity, logit, attributes: { TOXICITY: toxicity } };
}
