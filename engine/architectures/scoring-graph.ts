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
 */
export function scoringInputs() {
  return {
    tokens: ops.input("tokens", ["batch", "time"], "int64"),
    positions: ops.input("positions", ["batch", "time"], "int64"),
    attentionBias: ops.input("attentionBias", [1, 1, "time", "time"]),
    places: ops.input("places", ["targets"], "int64"),
    targets: ops.input("targets", ["targets"], "int64"),
  };
}

/**
 * Rows are padded on the right, where a causal bias alone keeps padding from being seen.
 * Logits are computed at the wanted places only: they are what memory is spent on.
 *
 * @param inputs to be shared where several models look at the same tokens
 */
export function scoringExpressions(
  architecture: Architecture,
  context: ParameterContext,
  inputs: ReturnType<typeof scoringInputs> = scoringInputs(),
): ScoringExpressions {
  const { hidden } = architecture.trunk(context, inputs);
  const flat = ops.reshape(hidden, [multiplyDims("batch", "time"), architecture.hiddenSize]);
  const picked = ops.gatherRows(flat, inputs.places);
  const logits = architecture.head(context, picked);
  return { logProbs: ops.tokenLogProbs(logits, inputs.targets), logits, hidden: picked };
}

/** Entropy (nats) of the distribution behind each row of logits [n, vocabulary] -> [n]. */
export function entropy(logits: Tensor): Tensor {
  const logProbs = ops.logSoftmax(logits);
  return ops.neg(ops.reduceSum(ops.mul(ops.exp(logProbs), logProbs), [-1]));
}
