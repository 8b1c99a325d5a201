/** Several toxicity models as one, so that a policy cannot live off the blind spot of a single one. */
import type { RewardModel, ToxicityScore } from "../types.ts";
import { versionOf } from "../version.ts";

export interface EnsembleOptions {
  /**
   * "mean" of the models' log-odds, or "minimum": the least harmless one decides, as in the worst-case optimization of
   * Coste et al. 2023 (arXiv 2310.02743).
   */
  combine: "mean" | "minimum";
  /**
   * Nats of harmlessness taken off for each nat of standard deviation among the models, at least 0: where they disagree
   * nobody knows (mean minus deviation, Eisenstein et al. 2023, arXiv 2312.09244).
   */
  disagreement: number;
  /** Each model's log-odds are clipped to ± this, in nats: sureness is not calibrated alike in all of them. */
  bound: number;
}

/**
 * A score's `logit` and `toxicity` are the ensemble's with its penalty; an attribute's is the mean over the models that
 * know it. The models belong to the ensemble, which disposes of them.
 */
export function createEnsemble(models: readonly RewardModel[], options: EnsembleOptions): RewardModel {
  const { bound } = options;
  return {
    name: models.map(({ name }) => name).join(" + "),
    version: versionOf({ code: 1, models: models.map(({ version }) => version), ...options }),
    async score(texts) {
      const byModel = await Promise.all(models.map((model) => scoreNamed(model, texts)));
      return texts.map((_, i) => {
        const scores = byModel.map((own) => own[i] as ToxicityScore);
        const logits = scores.map(({ logit }) => Math.max(-bound, Math.min(bound, logit)));
        const logit = combineLogits(logits, options);
        return { logit, toxicity: 1 / (1 + Math.exp(-logit)), attributes: meanAttributes(scores) };
      });
    },
    async dispose() {
      await Promise.all(models.map((model) => model.dispose()));
    },
  };
}

/** Log-odds of toxicity, in nats, of the ensemble. */
export function combineLogits(
  logits: readonly number[],
  { combine, disagreement }: Pick<EnsembleOptions, "combine" | "disagreement">,
): number {
  const mean = logits.reduce((sum, logit) => sum + logit, 0) / logits.length;
  const variance = logits.reduce((sum, logit) => sum + (logit - mean) ** 2, 0) / logits.length;
  return (combine === "mean" ? mean : Math.max(...logits)) + disagreement * Math.sqrt(variance);
}

async function scoreNamed(model: RewardModel, texts: readonly string[]): Promise<ToxicityScore[]> {
  try {
    const scores = await model.score(texts);
    if (scores.length === texts.length) return scores;
    throw new Error(`was given ${texts.length} texts and scored ${scores.length}`);
  } catch (cause) {
    throw new Error(`${model.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function meanAttributes(scores: readonly ToxicityScore[]): Record<string, number> {
  const names = new Set(scores.flatMap(({ attributes }) => Object.keys(attributes)));
  return Object.fromEntries(
    [...names].map((name) => {
      const known = scores.flatMap(({ attributes }) => attributes[name] ?? []);
      return [name, known.reduce((sum, value) => sum + value, 0) / known.length];
    }),
  );
}
