/** Attention that looks back only so far: a band below the diagonal (Beltagy et al. 2020; Jiang et al. 2023). */
import * as ops from "../graph/ops.ts";
import type { Dim } from "../graph/shape.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { TrunkInputs } from "./architecture.ts";

/** Hides as well as minus infinity in float32 softmax, without the risk of NaN in a fully hidden row. */
const hidden = -10_000;

/** 0, 1, ..., the positions of what a cache's slots hold, whether filled or not [batch, past]. */
function slotPositions(batch: Dim, past: Dim, contextLength: number): Tensor {
  const all = ops.constant(
    BigInt64Array.from({ length: contextLength }, (_, slot) => BigInt(slot)),
    [contextLength],
  );
  return ops.expand(ops.reshape(ops.slice(all, 0, 0, past), [1, past]), [batch, past]);
}

/** The bias with everything hidden that lies `window` or more tokens back [batch, 1, time, past+time]. */
function banded({ positions, attentionBias, past }: TrunkInputs, window: number, contextLength: number): Tensor {
  const [batch, time] = positions.shape as [Dim, Dim];
  const held = past?.[0]?.keys.shape[2];
  const keys = held === undefined ? positions : ops.concat([slotPositions(batch, held, contextLength), positions], 1);
  const reach = ops.add(
    ops.reshape(keys, [batch, 1, 1, keys.shape[1] as Dim]),
    ops.constant(BigInt64Array.of(BigInt(window - 1)), []),
  );
  const near = ops.lessOrEqual(ops.reshape(positions, [batch, 1, time, 1]), reach);
  return ops.where(near, attentionBias, ops.scalar(hidden));
}

/**
 * The attention bias of each layer, made in the graph so that its inputs are the same with windows and without: once a
 * window, and nothing where a layer sees everything.
 *
 * @param windows tokens that a layer's queries see, themselves included; null for all
 */
export function layerBiases(
  inputs: TrunkInputs,
  windows: readonly (number | null)[],
  contextLength: number,
): readonly Tensor[] {
  const known = new Map<number, Tensor>();
  return windows.map((window) => {
    if (window === null || window >= contextLength) return inputs.attentionBias;
    const bias = known.get(window) ?? banded(inputs, window, contextLength);
    known.set(window, bias);
    return bias;
  });
}
