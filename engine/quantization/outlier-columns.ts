/**
 * Input features of single layers that are far larger than the rest. Rounding a row of activations to eight bits in
 * steps that fit such a feature leaves little of the others; LLM.int8() (Dettmers et al. 2022) multiplies features that
 * reach 6 apart, in floating point. That is large beside other features of large models; small models' are smaller
 * altogether, so here a feature is compared with the layer's others. Where the paper looks at every batch, we look once,
 * when weights are quantized: outliers belong to the model and not to the text. So the text here is drawn at random, and
 * needs no tokenizer.
 */
import { scoringExpressions } from "../architectures/scoring-graph.ts";
import type { BaseModel } from "../checkpoint/base-model.ts";
import type { Tensor } from "../graph/tensor.ts";
import { createSession, floats } from "../runtime/session.ts";

/**
 * A feature is an outlier from so many times the median of its layer's largest magnitudes. Of 128 normal draws the largest
 * lies near 2.7 deviations, so on normalized features this is close to the paper's 6.
 */
const timesMedian = 2;
/** At most one feature in so many, the largest; beyond that the layer is simply large. */
const leastFeaturesPerOutlier = 64;
const calibrationRows = 2;
const calibrationTime = 64;

/** Indices of the outliers among columns whose largest magnitudes are given, in rising order. */
export function outliersAmong(largest: Float32Array): number[] {
  const least = timesMedian * (largest.toSorted()[largest.length >> 1] ?? 0);
  return [...largest.keys()]
    .filter((column) => (largest[column] as number) > least)
    .sort((a, b) => (largest[b] as number) - (largest[a] as number))
    .slice(0, Math.floor(largest.length / leastFeaturesPerOutlier))
    .sort((a, b) => a - b);
}

/** Largest magnitude of each column of x [..., columns]. */
function columnMaxima(x: Float32Array, columns: number): Float32Array {
  const largest = new Float32Array(columns);
  for (let i = 0; i < x.length; i++) {
    const column = i % columns;
    largest[column] = Math.max(largest[column] as number, Math.abs(x[i] as number));
  }
  return largest;
}

/** Outliers of the linear layers that have any, by module name, as random tokens show them. */
export async function findOutliers(model: BaseModel): Promise<Map<string, number[]>> {
  const { architecture } = model;
  const frozen = model.frozen();
  const operands: Record<string, Tensor> = {};
  const modules = new Map<string, string>();
  const { logProbs } = scoringExpressions(architecture, {
    ...frozen,
    project(module, x) {
      modules.set(`x${modules.size}`, module.name);
      operands[`x${modules.size - 1}`] = x;
      return frozen.project?.(module, x) ?? null;
    },
  });
  const outputs: Record<string, Tensor> = { logProbs, ...operands };
  const session = await createSession(outputs, model.source);
  const time = Math.min(calibrationTime, architecture.contextLength);
  const shape = [calibrationRows, time];
  // A multiplicative hash in place of a random stream: the same weights give the same file.
  const tokens = BigInt64Array.from({ length: calibrationRows * time }, (_, i) => {
    return BigInt((Math.imul(i + 1, 2654435761) >>> 0) % architecture.vocabularySize);
  });
  const attentionBias = Float32Array.from({ length: time * time }, (_, i) => (i % time > i / time ? -10_000 : 0));
  try {
    const results = await session.run({
      tokens: { data: tokens, shape },
      positions: { data: tokens.map((_, i) => BigInt(i % time)), shape },
      attentionBias: { data: attentionBias, shape: [1, 1, time, time] },
      places: { data: BigInt64Array.of(0n), shape: [1] },
      targets: { data: BigInt64Array.of(0n), shape: [1] },
    });
    const found = new Map<string, number[]>();
    for (const [output, module] of modules) {
      const x = results[output];
      if (x === undefined) continue;
      const columns = outliersAmong(columnMaxima(floats(x), x.shape.at(-1) ?? 1));
      if (columns.length > 0) found.set(module, columns);
    }
    return found;
  } finally {
    await session.dispose();
  }
}
