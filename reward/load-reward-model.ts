/** The reward model of a folder, whichever kind its config.json says it is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { linearFormat } from "./linear/config.ts";
import { loadEmbeddedClassifier } from "./models/embedded-classifier.ts";
import { loadEncoderClassifier } from "./models/encoder-classifier.ts";
import { loadLinearClassifier } from "./models/linear-classifier.ts";
import type { RewardModel } from "./types.ts";

/**
 * @param folder as `reward/train/train.ts` or `train-judge.ts` writes it, or a Hugging Face checkpoint for sequence classification
 * @throws Error naming the file that is missing, damaged or of another kind
 */
export async function loadRewardModel(folder: string): Promise<RewardModel> {
  const path = join(folder, "config.json");
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // The embedded model's loader names what is wrong.
    return loadEmbeddedClassifier(folder);
  }
  const { architectures, format } = (config ?? {}) as { architectures?: unknown; format?: unknown };
  if (format === linearFormat) return loadLinearClassifier(folder);
  if (!Array.isArray(architectures)) return loadEmbeddedClassifier(folder);
  if (!String(architectures[0]).endsWith("ForSequenceClassification")) {
    throw new Error(`${path}: ${String(architectures[0])} is no classifier; a reward model scores texts by labels`);
  }
  return loadEncoderClassifier(folder);
}
