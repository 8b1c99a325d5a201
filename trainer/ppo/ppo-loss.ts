/** The losses of PPO as expressions over token vectors [targets]. */
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";

/**
 * Clipped surrogate (Schulman et al. 2017), weighted: -sum_t w_t min(ratio_t A_t, clip(ratio_t, 1 - e, 1 + e) A_t)
 * with ratio = exp(clip(log current - log old, -maxLogRatio, maxLogRatio)).
 *
 * @param weights importance weight of each token, divided by the number of tokens of the minibatch
 */
export function policyLoss(
  { logProbs, oldLogProbs, advantages, weights }: Record<"logProbs" | "oldLogProbs" | "advantages" | "weights", Tensor>,
  { clipRange, maxLogRatio }: { clipRange: number; maxLogRatio: number },
): Tensor {
  const ratio = ops.exp(ops.clamp(ops.sub(logProbs, oldLogProbs), -maxLogRatio, maxLogRatio));
  const clipped = ops.clamp(ratio, 1 - clipRange, 1 + clipRange);
  const surrogate = ops.minimum(ops.mul(ratio, advantages), ops.mul(clipped, advantages));
  return ops.neg(ops.sumAll(ops.mul(weights, surrogate)));
}

/**
 * 1/2 sum_t w_t max((V_t - R_t)^2, (clip(V_t, V_old - e, V_old + e) - R_t)^2): values move slowly, like the policy.
 *
 * @param weights 1 / number of tokens of the minibatch
 */
export function clippedValueLoss(
  { values, oldValues, returns, weights }: Record<"values" | "oldValues" | "returns" | "weights", Tensor>,
  clipRange: number,
): Tensor {
  const square = (x: Tensor) => ops.mul(x, x);
  const near = ops.add(oldValues, ops.clamp(ops.sub(values, oldValues), -clipRange, clipRange));
  const worst = ops.maximum(square(ops.sub(values, returns)), square(ops.sub(near, returns)));
  return ops.scale(ops.sumAll(ops.mul(weights, worst)), 0.5);
}
