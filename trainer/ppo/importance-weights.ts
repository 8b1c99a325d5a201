/**
 * Correction for replies that an older policy wrote (decoupled PPO, Hilton et al. 2022): the clipped ratio compares
 * the current policy with the one of the batch's beginning ("old"), and each token is weighted by old/behaviour.
 *
 * Both are taken at the temperature the reply was sampled at. What top-p or top-k cut off is not modelled: the logged
 * log-prob is log(p_t / Z) with Z the mass that was kept, so an unchanged policy weighs Z (0.95 to 1 for top-p 0.95)
 * instead of 1; and no weight exceeds the cap, whatever else the sampler did.
 */

/** w_t = min(exp(clip(log old_t - log behaviour_t)), cap); a constant to differentiation. */
export function importanceWeights(
  oldLogProbs: Float32Array,
  behaviourLogProbs: Float32Array,
  { cap, maxLogRatio }: { cap: number; maxLogRatio: number },
): Float32Array {
  return oldLogProbs.map((old, t) => {
    const logRatio = Math.min(maxLogRatio, Math.max(-maxLogRatio, old - (behaviourLogProbs[t] as number)));
    return Math.min(Math.exp(logRatio), cap);
  });
}

/** mean |log old_t - log behaviour_t| over a reply, nats: how far the policy is from what wrote the reply. */
export function sequenceDistance(oldLogProbs: Float32Array, behaviourLogProbs: Float32Array): number {
  const sum = oldLogProbs.reduce((total, old, t) => total + Math.abs(old - (behaviourLogProbs[t] as number)), 0);
  return sum / oldLogProbs.length;
}
