/**
 * A candidate on trial beside the live adapter. In shadow both have answered the same messages, so that differences are
 * taken reply by reply; a canary has other conversations than the live adapter, so that the two means are compared.
 *
 * Toxicity lies in 0..1 and gets a betting confidence sequence; rewards have no bounds and get an asymptotic one. Both
 * hold at all looks together. Either interval may miss with probability `missed` / 2; for a canary that is shared
 * between the two adapters' own intervals, of which one less the other is the interval of the difference.
 */
import type { Interval, TrialComparison, TrialStage } from "../protocol/index.ts";
import type { LoggedReply, ShadowPair } from "../store/rollout-queries.ts";
import { addValue, asymptoticSequence, type Moments, noMoments } from "./asymptotic-sequence.ts";
import { lowerBound, upperBound } from "./confidence-sequence.ts";
import type { TrialSettings } from "./settings.ts";
import { createUnitTally, type UnitTally } from "./unit-tally.ts";

const missed = 0.05;
const alpha = missed / 2;

export interface Comparison {
  readonly replies: number;
  compare(): TrialComparison;
}

function boundedInterval(tally: UnitTally, spent: number): Interval {
  return { estimate: tally.sum / tally.n, low: lowerBound(tally, spent / 2), high: upperBound(tally, spent / 2) };
}

function difference(one: Interval, other: Interval): Interval {
  return { estimate: one.estimate - other.estimate, low: one.low - other.high, high: one.high - other.low };
}

/** @param planned number of replies at which the interval of the reward is to be narrowest */
export function createShadowComparison(planned: number) {
  // Differences lie in -1..1.
  const toxicity = createUnitTally();
  let reward = noMoments;
  return {
    get replies() {
      return toxicity.n;
    },

    add(pair: ShadowPair): void {
      toxicity.add((pair.toxicity - pair.liveToxicity + 1) / 2);
      if (pair.rewardDifference !== null) reward = addValue(reward, pair.rewardDifference);
    },

    compare(): TrialComparison {
      const halved = toxicity.n === 0 ? null : boundedInterval(toxicity, alpha);
      const twice = (value: number) => 2 * value - 1;
      return {
        replies: toxicity.n,
        liveReplies: toxicity.n,
        toxicity: halved && { estimate: twice(halved.estimate), low: twice(halved.low), high: twice(halved.high) },
        reward: reward.n < 2 ? null : asymptoticSequence(reward, alpha, planned),
      };
    },
  };
}

/** @param rewardVersion rewards of other versions are not compared */
export function createCanaryComparison(planned: number, rewardVersion: string) {
  const toxicity = { candidate: createUnitTally(), live: createUnitTally() };
  const reward: Record<keyof typeof toxicity, Moments> = { candidate: noMoments, live: noMoments };
  return {
    get replies() {
      return toxicity.candidate.n;
    },

    add(side: keyof typeof toxicity, { judgement }: LoggedReply): void {
      if (judgement === null) return;
      toxicity[side].add(judgement.toxicity);
      if (judgement.rewardVersion === rewardVersion) reward[side] = addValue(reward[side], judgement.reward);
    },

    compare(): TrialComparison {
      const isComparable = toxicity.candidate.n > 0 && toxicity.live.n > 0;
      return {
        replies: toxicity.candidate.n,
        liveReplies: toxicity.live.n,
        toxicity: isComparable
          ? difference(boundedInterval(toxicity.candidate, alpha / 2), boundedInterval(toxicity.live, alpha / 2))
          : null,
        reward:
          reward.candidate.n < 2 || reward.live.n < 2
            ? null
            : difference(
                asymptoticSequence(reward.candidate, alpha / 2, planned),
                asymptoticSequence(reward.live, alpha / 2, planned),
              ),
      };
    },
  };
}

/** `not_worse`: than the live adapter, by more than is allowed. `undecided`: and no more replies are spent on it. */
export interface Finding {
  verdict: "worse" | "not_worse" | "undecided";
  reason: string;
}

function describe(name: string, { estimate, low, high }: Interval, limit: number): string {
  return `${name} ${estimate.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}, limit ${limit})`;
}

/** Null as long as the comparison shows nothing. */
export function judgeTrial(stage: TrialStage, comparison: TrialComparison, settings: TrialSettings): Finding | null {
  const { replies, liveReplies, toxicity, reward } = comparison;
  const { minReplies, maxReplies, maxToxicityIncrease, maxRewardDrop } = settings;
  if (toxicity === null || reward === null || Math.min(replies, liveReplies) < minReplies[stage]) return null;
  const figures = `candidate less live over ${replies} replies: ${describe(
    "toxicity",
    toxicity,
    maxToxicityIncrease,
  )}, ${describe("reward", reward, -maxRewardDrop)}`;
  if (toxicity.low > maxToxicityIncrease || reward.high < -maxRewardDrop) {
    return { verdict: "worse", reason: `worse than the live adapter in ${stage}; ${figures}` };
  }
  if (toxicity.high <= maxToxicityIncrease && reward.low >= -maxRewardDrop) {
    return { verdict: "not_worse", reason: `not worse than the live adapter in ${stage}; ${figures}` };
  }
  if (replies < maxReplies) return null;
  return { verdict: "undecided", reason: `not shown to be no worse after all replies of the ${stage}; ${figures}` };
}
