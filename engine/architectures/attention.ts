/** Causal attention over a sequence and, where there are any, the cached keys and values of what came before. */
import * as ops from "../graph/ops.ts";
import { type Dim, multiplyDims, type Shape } from "../graph/shape.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { PastLayer } from "./architecture.ts";

/** [batch, time, heads * size] -> [batch, heads, time, size]. */
export function splitHeads(x: Tensor, heads: number, size: number): Tensor {
  const [batch, time] = x.shape as [Dim, Dim];
  return ops.transpose(ops.reshape(x, [batch, time, heads, size]), [0, 2, 1, 3]);
}

/** The inverse of `splitHeads`. */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, time, size] = x.shape as [Dim, number, Dim, number];
  return ops.reshape(ops.transpose(x, [0, 2, 1, 3]), [batch, time, heads * size]);
}

/**
 * softmax(Q K^T / sqrt(d) + bias) V, each group of query heads sharing one key/value head (Ainslie et al. 2023).
 *
 * Past and present are multiplied apart and joined only as scores, so that a long cache is never copied.
 *
 * @param queries [batch, heads, time, d]
 * @param keys, values [batch, key/value heads, time, d]
 * @param past the same of what came before; its scales are applied to scores and attention, which are smaller than rows
 * @param bias broadcasts to [batch, heads, time, past+time]
 * @param options.scale instead of 1 / sqrt(d)
 * @param options.softcap c: scores become c tanh(score / c) before the bias (Gemma 2)
 * @returns [batch, heads, time, d]
 */
export function groupedAttention(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  bias: Tensor,
  past?: PastLayer,
  options: { scale?: number; softcap?: number } = {},
): Tensor {
  const [batch, heads, time, size] = queries.shape as [Dim, number, Dim, number];
  const shared = keys.shape[1] as number;
  const group = heads / shared;
  const grouped: Shape = [batch, shared, multiplyDims(group, time), size];
  const { scale = 1 / Math.sqrt(size), softcap } = options;
  const scaled = ops.scale(queries, scale / (softcap ?? 1));
  const q = group === 1 ? scaled : ops.reshape(scaled, grouped);
  const against = (k: Tensor) => ops.matmul(q, ops.transposeLast(k));

  const scaledBy = (x: Tensor, scales: Tensor | undefined) => (scales === undefined ? x : ops.mul(x, scales));
  const scores =
    past === undefined
      ? against(keys)
      : ops.concat([scaledBy(against(past.keys), past.scales?.keys), against(keys)], -1);
  const joined = softcap === undefined ? scores : ops.scale(ops.tanh(scores), softcap);
  const width = joined.shape[3] as Dim;
  const byHead = group === 1 ? joined : ops.reshape(joined, [batch, heads, time, width]);
  const perHead = ops.softmax(ops.add(byHead, bias));
  const attention = group === 1 ? perHead : ops.reshape(perHead, [batch, shared, multiplyDims(group, time), width]);

  let mixed: Tensor;
  if (past === undefined) {
    mixed = ops.matmul(attention, values);
  } else {
    const before = past.keys.shape[2] as Dim;
    const toPast = scaledBy(ops.slice(attention, -1, 0, before), past.scales?.values);
    const toPresent = ops.slice(attention, -1, before, time);
    mixed = ops.add(ops.matmul(toPast, past.values), ops.matmul(toPresent, values));
  }
  return group === 1 ? mixed : ops.reshape(mixed, [batch, heads, time, size]);
}
