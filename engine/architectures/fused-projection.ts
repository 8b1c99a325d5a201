/** Queries, keys and values out of one product, in the two orders that checkpoints have them in. */
import * as ops from "../graph/ops.ts";
import type { Dim } from "../graph/shape.ts";
import type { Tensor } from "../graph/tensor.ts";
import { splitHeads } from "./attention.ts";

export interface HeadLayout {
  heads: number;
  keyValueHeads: number;
  headSize: number;
}

/** Each [batch, heads or key/value heads, time, head size]. */
export interface ProjectedHeads {
  queries: Tensor;
  keys: Tensor;
  values: Tensor;
}

/** All queries, then all keys, then all values (GPT-2, Phi-3). @param fused [batch, time, (heads + 2 shared) * size] */
export function splitStacked(fused: Tensor, { heads, keyValueHeads, headSize }: HeadLayout): ProjectedHeads {
  const shared = keyValueHeads * headSize;
  const part = (start: number, count: number) =>
    splitHeads(ops.slice(fused, 2, start, count * headSize), count, headSize);
  return {
    queries: part(0, heads),
    keys: part(heads * headSize, keyValueHeads),
    values: part(heads * headSize + shared, keyValueHeads),
  };
}

/**
 * For each key/value head its group of queries, then its key, then its value (GPT-NeoX with groups of one, Falcon).
 *
 * @param fused [batch, time, (heads + 2 shared) * size]
 */
export function splitInterleaved(fused: Tensor, { heads, keyValueHeads, headSize }: HeadLayout): ProjectedHeads {
  const [batch, time] = fused.shape as [Dim, Dim];
  const group = heads / keyValueHeads;
  const grouped = ops.reshape(fused, [batch, time, keyValueHeads, group + 2, headSize]);
  const part = (start: number, count: number) => {
    const piece = ops.slice(grouped, 3, start, count);
    const flat = ops.reshape(piece, [batch, time, keyValueHeads * count, headSize]);
    return ops.transpose(flat, [0, 2, 1, 3]);
  };
  return { queries: part(0, group), keys: part(group, 1), values: part(group + 1, 1) };
}
