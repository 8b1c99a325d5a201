/** From logged replies to what a PPO update needs: old log-probs, values, advantages and weights, token by token. */
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import { lengthBuckets } from "../length-buckets.ts";
import { generalizedAdvantages, whiten } from "./advantages.ts";
import { importanceWeights, sequenceDistance } from "./importance-weights.ts";
import { klEstimates } from "./kl-estimates.ts";
import type { PolicyScorer, PolicyScores } from "./policy-scorer.ts";
import type { Rollout } from "./rollout.ts";
import { type RewardScale, tokenRewards } from "./token-rewards.ts";
import { predictValues, type ValueHead } from "./value-head.ts";

/** A reply with the scores of the policy as it is now ("old" from here on) beside its frozen reference. */
export interface ScoredReply {
  reply: Rollout;
  old: PolicyScores;
}

/** Everything a minibatch is built from; arrays hold one value a reply token. */
export interface Experience {
  reply: Rollout;
  oldLogProbs: Float32Array;
  oldValues: Float32Array;
  /** Whitened over the batch. */
  advantages: Float32Array;
  returns: Float32Array;
  importanceWeights: Float32Array;
  /** Of old to reference, summed over this reply, nats: exact, and as its own tokens estimate it. */
  referenceKl: number;
  sampledReferenceKl: number;
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

/** Scores the replies under the policy as it is, in their order, in passes of like length. */
export async function scoreReplies(
  scorer: PolicyScorer,
  policy: LoraAdapter,
  replies: readonly Rollout[],
  maxTokensPerPass: number,
): Promise<ScoredReply[]> {
  const scores = new Map<Rollout, PolicyScores>();
  for (const pass of lengthBuckets(replies, maxTokensPerPass, 0)) {
    const found = await scorer.score(policy, pass);
    for (const [row, reply] of pass.entries()) scores.set(reply, found[row] as PolicyScores);
  }
  return replies.map((reply) => ({ reply, old: scores.get(reply) as PolicyScores }));
}

/** KL of the policy to the reference, mean over the replies, nats a reply. */
export async function meanReferenceKl(
  scorer: PolicyScorer,
  policy: LoraAdapter,
  replies: readonly Rollout[],
  maxTokensPerPass: number,
): Promise<number> {
  const scored = await scoreReplies(scorer, policy, replies, maxTokensPerPass);
  return sum(scored.map(({ old }) => sum(old.referenceKl))) / scored.length;
}

/**
 * Splits off the replies that something unlike this policy wrote: their importance weights would be noise.
 *
 * @param threshold mean |log(old/behaviour)| a token, nats
 */
export function splitByDistance(
  scored: readonly ScoredReply[],
  threshold: number,
): { kept: ScoredReply[]; rejected: number } {
  const kept = scored.filter(({ reply, old }) => sequenceDistance(old.logProbs, reply.behaviourLogProbs) <= threshold);
  return { kept, rejected: scored.length - kept.length };
}

export interface ExperienceOptions {
  gamma: number;
  lambda: number;
  rewardScale: RewardScale;
  klCoefficient: number;
  missingEndPenalty: number;
  leastDeviation: number;
  maxImportanceWeight: number;
  maxLogRatio: number;
}

/** Rewards, values and advantages of a batch under the value head as it is now. */
export function toExperience(
  scored: readonly ScoredReply[],
  head: ValueHead,
  options: ExperienceOptions,
): Experience[] {
  const estimated = scored.map(({ reply, old }) => {
    const oldValues = predictValues(head, old.hidden);
    const rewards = tokenRewards(reply, old.logProbs, old.referenceLogProbs, options);
    return { oldValues, ...generalizedAdvantages(rewards, oldValues, options.gamma, options.lambda) };
  });
  const whitened = whiten(
    estimated.map(({ advantages }) => advantages),
    options.leastDeviation,
  );
  return scored.map(({ reply, old }, index) => {
    const { oldValues, returns } = estimated[index] as (typeof estimated)[number];
    return {
      reply,
      oldLogProbs: old.logProbs,
      oldValues,
      advantages: whitened[index] as Float32Array,
      returns,
      importanceWeights: importanceWeights(old.logProbs, reply.behaviourLogProbs, {
        cap: options.maxImportanceWeight,
        maxLogRatio: options.maxLogRatio,
      }),
      referenceKl: sum(old.referenceKl),
      sampledReferenceKl: klEstimates(old.logProbs, old.referenceLogProbs, options.maxLogRatio).k1,
    };
  });
}

/** Hidden states [n, hidden] and value targets [n] of all tokens of a batch, for the value head alone. */
export function valueTargets(
  scored: readonly ScoredReply[],
  head: ValueHead,
  options: ExperienceOptions,
): { hidden: Float32Array; returns: Float32Array } {
  const joined = (arrays: readonly Float32Array[]) => {
    const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const array of arrays) {
      all.set(array, at);
      at += array.length;
    }
    return all;
  };
  return {
    hidden: joined(scored.map(({ old }) => old.hidden)),
    returns: joined(toExperience(scored, head, options).map(({ returns }) => returns)),
  };
}
