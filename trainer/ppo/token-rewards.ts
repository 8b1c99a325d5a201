/** Mean and standard deviation of the rewards of a snapshot. */
export interface RewardScale {
  mean: number;
  deviation: number;
}

export interface TokenRewardOptions {
  rewardScale: RewardScale;
  /** Coefficient of the KL penalty, beta. */
  klCoefficient: number;
  /** Taken off a reply that was cut by a length limit. */
  missingEndPenalty: number;
}

/**
 * Rewards token by token (Ziegler et al. 2019): each pays for drifting from the reference, the last earns the reply's
 * reward: r_t = beta (log reference_t - log old_t) + [t = last] ((reward - mean) / deviation - [never ended] penalty).
 */
export function tokenRewards(
  reply: { reward: number; ended: boolean },
  oldLogProbs: Float32Array,
  referenceLogProbs: Float32Array,
  { rewardScale, klCoefficient, missingEndPenalty }: TokenRewardOptions,
): Float32Array {
  const rewards = oldLogProbs.map((old, t) => klCoefficient * ((referenceLogProbs[t] as number) - old));
  const last = rewards.length - 1;
  const earned = (reply.reward - rewardScale.mean) / rewardScale.deviation;
  rewards[last] = (rewards[last] as number) + earned - (reply.ended ? 0 : missingEndPenalty);
  return rewards;
}

/**
 * Mean and (population) standard deviation, by which rewards are standardized: whatever range a reward model has, the KL
 * penalty, the value clip and the critic's learning rate mean the same, and a critic that knows nothing is not far off.
 */
export function rewardScale(rewards: readonly number[]): RewardScale {
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  const variance = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / rewards.length;
  return { mean, deviation: Math.sqrt(variance) };
}
