/** One step of generation: new tokens of several sequences against the cached keys and values of what came before. */

import type { KvPrecision } from "../generation/kv-storage.ts";
import * as ops from "../graph/ops.ts";
import { type ElementType, multiplyDims } from "../graph/shape.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Architecture, ParameterContext } from "./architecture.ts";

/** Names of the step graph's inputs and outputs that exist once a layer. */
export const layerNames = (layer: number) => ({
  pastKeys: `past:${layer}.keys`,
  pastValues: `past:${layer}.values`,
  pastKeyScales: `past:${layer}.keyScales`,
  pastValueScales: `past:${layer}.valueScales`,
  newKeys: `new:${layer}.keys`,
  newValues: `new:${layer}.values`,
});

const elementTypes: Record<KvPrecision, ElementType> = { fp32: "float32", fp16: "float16", int8: "int8" };

/**
 * The same graph prefills a chunk of a prompt (batch 1, time > 1) and decodes (a row a sequence, time 1).
 *
 * Inputs: `tokens`, `positions` [batch, time]; `attentionBias` [batch, 1, time, past+time], very negative where a token
 * may not look; `past:<layer>.keys` and `.values` [batch, key/value heads, past, head size], of which the bias hides
 * what is not filled, and of an int8 cache `past:<layer>.keyScales` and `.valueScales` [batch, key/value heads, 1, past];
 * `places` [places], row * time + column of each token whose successor is asked for;
 * `inverseTemperatures` [places, 1].
 *
 * @param kvCache precision of the caches; new rows are float32 in any case
 * @returns `logits` and `probabilities`, softmax(logits / temperature), [places, vocabulary], and each layer's own
 *   rows, `new:<layer>.keys` and `.values`
 *   [batch, key/value heads, time, head size]. The caches themselves are not returned: outputs are copied.
 */
export function stepExpressions(
  architecture: Architecture,
  context: ParameterContext,
  kvCache: KvPrecision = "fp32",
): Record<string, Tensor> {
  const { layers, keyValueHeads, headSize, hiddenSize } = architecture;
  const cache = (name: string) => {
    const stored = ops.input(name, ["batch", keyValueHeads, "past", headSize], elementTypes[kvCache]);
    return kvCache === "fp32" ? stored : ops.cast(stored, "float32");
  };
  const scales = (name: string) => ops.input(name, ["batch", keyValueHeads, 1, "past"]);
  const { hidden, present } = architecture.trunk(context, {
    tokens: ops.input("tokens", ["batch", "time"], "int64"),
    positions: ops.input("positions", ["batch", "time"], "int64"),
    attentionBias: ops.input("attentionBias", ["batch", 1, "time", "past+time"]),
    past: Array.from({ length: layers }, (_, layer) => {
      const { pastKeys, pastValues, pastKeyScales, pastValueScales } = layerNames(layer);
      const rows = { keys: cache(pastKeys), values: cache(pastValues) };
      if (kvCache !== "int8") return rows;
      return { ...rows, scales: { keys: scales(pastKeyScales), values: scales(pastValueScales) } };
    }),
  });
  const flat = ops.reshape(hidden, [multiplyDims("batch", "time"), hiddenSize]);
  const picked = ops.gatherRows(flat, ops.input("places", ["places"], "int64"));
  const logits = architecture.head(context, picked);
  const probabilities = ops.softmax(ops.mul(logits, ops.input("inverseTemperatures", ["places", 1])));
  const outputs: Record<string, Tensor> = { logits, probabilities };
  present.forEach(({ keys, values }, layer) => {
    const { newKeys, newValues } = layerNames(layer);
    outputs[newKeys] = keys;
    outputs[newValues] = values;
  });
  return outputs;
}
