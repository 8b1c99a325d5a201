/** From logged replies to what a PPO update needs: old log-probs, values, advantages and weights, token by token. */
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import { lengthBuckets } from "../length-buckets.ts";
import type { LoraScorer, SequenceScores } from "../lora-scorer.ts";
import { generalizedAdvantages, whiten } from "./advantages.ts";
import { fixedPpoSettings } from "./default-settings.ts";
import { importanceWeights, sequenceDistance } from "./importance-weights.ts";
import { klEstimates } from "./kl-estimates.ts";
import type { LoggedReply } from "./snapshot.ts";
import { tokenRewards } from "./token-rewards.ts";
import { predictValues, type ValueHead } from "./value-head.ts";

/** A reply with the scores of the policy as it is now ("old" from here on) and of the frozen reference. */
export interface ScoredReply {
  reply: LoggedReply;
  old: SequenceScores;
  referenceLogProbs: Float32Array;
}

/** Everything a minibatch is built from; arrays hold one value a reply token. */
export interface Experience {
  reply: LoggedReply;
  oldLogProbs: Float32Array;
  oldValues: Float32Array;
  /** Whitened over the batch. */
  advantages: Float32Array;
  returns: Float32Array;
  importanceWeights: Float32Array;
  /** Of old to reference, nats in this reply. */
  kl: { k1: number; k3: number };
}

/** Scores the replies under one adapter, in their order, in passes of like length. */
async function scoreReplies(
  scorer: LoraScorer,
  adapter: LoraAdapter,
  replies: readonly LoggedReply[],
): Promise<SequenceScores[]> {
  const scores = new Map<LoggedReply, SequenceScores>();
  for (const pass of lengthBuckets(replies, fixedPpoSettings.tokensPerPass, 0)) {
    const found = await scorer.score(adapter, pass);
    for (const [row, reply] of pass.entries()) scores.set(reply, found[row] as SequenceScores);
  }
  return replies.map((reply) => scores.get(reply) as SequenceScores);
}

/** Scores the replies under the policy as it is and under the frozen reference. */
export async function scoreBatch(
  scorer: LoraScorer,
  policy: LoraAdapter,
  reference: LoraAdapter,
  replies: readonly LoggedReply[],
): Promise<ScoredReply[]> {
  const old = await scoreReplies(scorer, policy, replies);
  const frozen = await scoreReplies(scorer, reference, replies);
  return replies.map((reply, index) => ({
    reply,
    old: old[index] as SequenceScores,
    referenceLogProbs: (frozen[index] as SequenceScores).logProbs,
  }));
}

/** KL (k3) of the policy to the reference, mean over the replies, nats a reply. */
export async function meanKl(
  scorer: LoraScorer,
  policy: LoraAdapter,
  reference: LoraAdapter,
  replies: readonly LoggedReply[],
): Promise<number> {
  const scored = await scoreBatch(scorer, policy, reference, replies);
  const kls = scored.map(({ old, referenceLogProbs }) => {
    return klEstimates(old.logProbs, referenceLogProbs, fixedPpoSettings.maxLogRatio).k3;
  });
  return kls.reduce((sum, kl) => sum + kl, 0) / kls.length;
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
  rewardScale: number;
  klCoefficient: number;
  missingEndPenalty: number;
  maxImportanceWeight: number;
  maxLogRatio: number;
}

/** Rewards, values and advantages of a batch under the value head as it is now. */
export function toExperience(
  scored: readonly ScoredReply[],
  head: ValueHead,
  options: ExperienceOptions,
): Experience[] {
  const estimated = scored.map(({ reply, old, referenceLogProbs }) => {
    const oldValues = predictValues(head, old.hidden);
    const rewards = tokenRewards(reply, old.logProbs, referenceLogProbs, options);
    return { oldValues, ...generalizedAdvantages(rewards, oldValues, options.gamma, options.lambda) };
  });
  const whitened = whiten(estimated.map(({ advantages }) => advantages));
  return scored.map(({ reply, old, referenceLogProbs }, index) => {
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
      kl: klEstimates(old.logProbs, referenceLogProbs, options.maxLogRatio),
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
