/** The graph of an encoder and its inputs for a batch of token rows. */

import { rememberWeights } from "../architectures/architecture.ts";
import type { EncoderArchitecture } from "../architectures/encoders/encoder-architecture.ts";
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Feeds } from "../runtime/session.ts";

/** Hides padding: e to this power is 0 in float32. */
const hidden = -10_000;

/** `result`: logits [batch, classes], or for a trunk without a head pooled hidden states [batch, hidden]. */
export function encoderGraph(architecture: EncoderArchitecture): { result: Tensor } {
  const context = { weight: rememberWeights((name, shape) => ops.weight(name, shape)) };
  const states = architecture.trunk(context, {
    tokens: ops.input("tokens", ["batch", "time"], "int64"),
    positions: ops.input("positions", ["batch", "time"], "int64"),
    attentionBias: ops.input("attentionBias", ["batch", 1, 1, "time"]),
  });
  if (architecture.config.classes !== null) return { result: architecture.classify(context, states) };
  // Each token's share of the mean, 0 for padding.
  const shares = ops.input("shares", ["batch", "time", 1]);
  return { result: ops.reduceSum(ops.mul(states, shares), [1]) };
}

/** @param rows token ids of each text, not empty; shorter ones are padded on the right */
export function encoderFeeds(
  { config }: EncoderArchitecture,
  rows: readonly (readonly number[])[],
  pooling: "mean" | "first",
): Feeds {
  const time = rows.reduce((most, { length }) => Math.max(most, length), 1);
  const tokens = new BigInt64Array(rows.length * time);
  const positions = new BigInt64Array(rows.length * time);
  const bias = new Float32Array(rows.length * time).fill(hidden);
  const shares = new Float32Array(rows.length * time);
  for (const [r, row] of rows.entries()) {
    for (const [t, token] of row.entries()) {
      tokens[r * time + t] = BigInt(token);
      bias[r * time + t] = 0;
      shares[r * time + t] = pooling === "mean" ? 1 / row.length : t === 0 ? 1 : 0;
    }
    for (let t = 0; t < time; t++) positions[r * time + t] = BigInt(config.firstPosition + t);
  }
  const shape = [rows.length, time];
  return {
    tokens: { data: tokens, shape },
    positions: { data: positions, shape },
    attentionBias: { data: bias, shape: [rows.length, 1, 1, time] },
    ...(config.classes === null ? { shares: { data: shares, shape: [rows.length, time, 1] } } : {}),
  };
}
