/** The expressions behind scoring and training: what the model makes of tokens that are already there. */
import * as ops from "../graph/ops.ts";
import { multiplyDims } from "../graph/shape.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Architecture, ParameterContext } from "./architecture.ts";

export interface ScoringExpressions {
  /** Log-probs (nats, temperature 1) of the target tokens [targets]. */
  logProbs: Tensor;
  /** Logits at the places that predict the targets [targets, vocabulary]. */
  logits: Tensor;
  /** Hidden states at those places [targets, hidden]. */
  hidden: Tensor;
}

/**
 * Inputs of the graph: `tokens`, `positions` [batch, time], `attentionBias` [1, 1, time, time] and, for each
 * wanted prediction, `places` [targets] (row * time + column of the token that predicts) and `targets` [targets].
 * Rows are padded on the right, where a causal bias alone keeps padding from being seen.
 * Logits are computed at those places only: they are what memory is spent on.
 */
export function scoringExpressions(architecture: Architecture, context: ParameterContext): ScoringExpressions {
  const tokens = ops.input("tokens", ["batch", "time"], "int64");
  const { hidden } = architecture.trunk(context, {
    tokens,
    positions: ops.input("positions", ["batch", "time"], "int64"),
    attentionBias: ops.input("attentionBias", [1, 1, "time", "time"]),
  });
  const flat = ops.reshape(hidden, [multiplyDims("batch", "time"), architecture.hiddenSize]);
  const picked = ops.gatherRows(flat, ops.input("places", ["targets"], "int64"));
  const logits = architecture.head(context, picked);
  return { logProbs: ops.tokenLogProbs(logits, ops.input("targets", ["targets"], "int64")), logits, hidden: picked };
}

/** Entropy (nats) of the distribution behind each row of logits [n, vocabulary] -> [n]. */
export function entropy(logits: Tensor): Tensor {
  const logProbs = ops.logSoftmax(logits);
  return ops.neg(ops.reduceSum(ops.mul(ops.exp(logProbs), logProbs), [-1]));
}
