/** What a PPO run reports of itself. Every name is defined in docs/metrics.md. */
import type { Experience } from "./experience.ts";
import { klEstimates } from "./kl-estimates.ts";
import type { PpoPass } from "./ppo-pass.ts";

export const mean = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** 1 - Var(returns - values) / Var(returns); 0 where the returns do not vary, as then there is nothing to explain. */
export function explainedVariance(values: readonly number[], returns: readonly number[]): number {
  const variance = (numbers: readonly number[]) => {
    const center = mean(numbers);
    return mean(numbers.map((number) => (number - center) ** 2));
  };
  const total = variance(returns);
  if (total < 1e-12) return 0;
  return 1 - variance(returns.map((target, t) => target - (values[t] as number))) / total;
}

/** How far the current policy is from the old one on the tokens of a minibatch. */
export function policyChange(
  experiences: readonly Experience[],
  { logProbs }: Pick<PpoPass, "logProbs">,
  { clipRange, maxLogRatio }: { clipRange: number; maxLogRatio: number },
): { approxKl: number; clipFraction: number; ratioMean: number; ratioMax: number } {
  let kl = 0;
  let clipped = 0;
  let ratioSum = 0;
  let ratioMax = 0;
  let tokens = 0;
  for (const experience of experiences) {
    const { oldLogProbs } = experience;
    const current = logProbs.get(experience);
    if (current === undefined) throw new Error(`no current log-probs for exchange ${experience.reply.id}`);
    // Tokens came from the old policy or before it, so old is p and current q.
    kl += klEstimates(oldLogProbs, current, maxLogRatio).k3;
    oldLogProbs.forEach((old, t) => {
      const ratio = Math.exp(Math.min(maxLogRatio, (current[t] as number) - old));
      if (Math.abs(ratio - 1) > clipRange) clipped += 1;
      ratioSum += ratio;
      ratioMax = Math.max(ratioMax, ratio);
    });
    tokens += oldLogProbs.length;
  }
  return { approxKl: kl / tokens, clipFraction: clipped / tokens, ratioMean: ratioSum / tokens, ratioMax };
}

/** What holds for a batch as a whole, measured when it begins. */
export function batchMetrics(experiences: readonly Experience[], maxImportanceWeight: number) {
  const weights = experiences.flatMap(({ importanceWeights }) => [...importanceWeights]);
  return {
    reward: mean(experiences.map(({ reply }) => reply.reward)),
    klReference: mean(experiences.map(({ referenceKl }) => referenceKl)),
    klReferenceSampled: mean(experiences.map(({ sampledReferenceKl }) => sampledReferenceKl)),
    explainedVariance: explainedVariance(
      experiences.flatMap(({ oldValues }) => [...oldValues]),
      experiences.flatMap(({ returns }) => [...returns]),
    ),
    importanceWeight: mean(weights),
    importanceCapped: weights.filter((weight) => weight >= maxImportanceWeight).length / Math.max(1, weights.length),
    replyLength: mean(experiences.map(({ reply }) => reply.replyTokens.length)),
    endedShare: mean(experiences.map(({ reply }) => (reply.ended ? 1 : 0))),
  };
}
