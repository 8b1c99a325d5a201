/** A reward model that is a Hugging Face classifier: BERT, RoBERTa or DistilBERT with a head. */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Classification } from "../../engine/encoder/encoder.ts";
import { createEncoder } from "../../engine/encoder/encoder-client.ts";
import type { RewardModel, ToxicityScore } from "../types.ts";
import { toxicLabel } from "./toxic-label.ts";

/** Perspective's names of what toxicity classifiers call their labels. */
const attributeNames: Readonly<Record<string, string>> = {
  toxic: "TOXICITY",
  toxicity: "TOXICITY",
  severe_toxic: "SEVERE_TOXICITY",
  severe_toxicity: "SEVERE_TOXICITY",
  obscene: "PROFANITY",
  threat: "THREAT",
  insult: "INSULT",
  identity_hate: "IDENTITY_ATTACK",
  identity_attack: "IDENTITY_ATTACK",
};

/** Log-odds of a label in nats: its logit for labels that stand alone, else against all others together. */
export function logOdds(logits: ArrayLike<number>, label: number, multiLabel: boolean): number {
  const own = logits[label] as number;
  if (multiLabel) return own;
  const others = Array.from(logits).filter((_, index) => index !== label);
  const largest = Math.max(...others);
  return own - largest - Math.log(others.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
}

/**
 * A long text is as toxic as its most toxic window. Probabilities are the model's own, which its makers may not have
 * calibrated.
 * @throws Error naming the file, or the labels where none is plainly the toxic one
 */
export async function loadEncoderClassifier(folder: string): Promise<RewardModel> {
  const encoder = await createEncoder({ folder, threads: Math.min(2, availableParallelism()) });
  const { id, labels, multiLabel, sha256 } = encoder.info;
  let toxic: number;
  try {
    toxic = toxicLabel(folder, labels);
  } catch (error) {
    await encoder.dispose();
    throw error;
  }
  const score = (windows: readonly Classification[]): ToxicityScore => {
    const odds = labels.map((_, label) => Math.max(...windows.map(({ logits }) => logOdds(logits, label, multiLabel))));
    const logit = odds[toxic] as number;
    const attributes = labels.flatMap((label, index): [string, number][] => {
      const name = attributeNames[label.toLowerCase()];
      return name === undefined ? [] : [[name, sigmoid(odds[index] as number)]];
    });
    return {
      toxicity: sigmoid(logit),
      logit,
      attributes: { ...Object.fromEntries(attributes), TOXICITY: sigmoid(logit) },
    };
  };
  return {
    name: id,
    version: createHash("sha256").update(`${sha256} ${toxic}`).digest("hex").slice(0, 12),
    score: async (texts) => (await encoder.classify(texts)).map(score),
    dispose: () => encoder.dispose(),
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
