/** Loss and gradients of next-token prediction with every weight of the model trained. */
import { type Architecture, rememberWeights } from "../engine/architectures/architecture.ts";
import { scoringExpressions } from "../engine/architectures/scoring-graph.ts";
import { gradients } from "../engine/graph/autodiff.ts";
import * as ops from "../engine/graph/ops.ts";
import type { Tensor } from "../engine/graph/tensor.ts";
import { createSession, type Feeds, floats } from "../engine/runtime/session.ts";

export interface WeightGradients {
  loss: number;
  /** By tensor name; empty when only the loss was asked for. */
  gradients: Map<string, Float32Array>;
}

export interface LanguageModelGraph {
  run(weights: ReadonlyMap<string, Float32Array>, feeds: Feeds): Promise<WeightGradients>;
  dispose(): Promise<void>;
}

/** -10,000 hides as well as minus infinity in float32 softmax, without the risk of NaN in a fully hidden row. */
export function causalBias(time: number): { data: Float32Array; shape: number[] } {
  const data = new Float32Array(time * time);
  for (let query = 0; query < time; query++) data.fill(-10_000, query * time + query + 1, (query + 1) * time);
  return { data, shape: [1, 1, time, time] };
}

/** The feeds of a scoring graph for equally long rows where every token but the last of a row predicts the next. */
export function denseFeeds(rows: number, time: number, inputs: BigInt64Array, targets: BigInt64Array): Feeds {
  const count = rows * time;
  return {
    tokens: { data: inputs, shape: [rows, time] },
    positions: { data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i % time)), shape: [rows, time] },
    attentionBias: causalBias(time),
    places: { data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i)), shape: [count] },
    targets: { data: targets, shape: [count] },
    targetWeights: { data: new Float32Array(count).fill(1 / count), shape: [count] },
  };
}

/** loss = -sum over targets of targetWeights * log-prob. */
export async function createLanguageModelGraph(
  architecture: Architecture,
  options: { threads: number; withGradients: boolean },
): Promise<LanguageModelGraph> {
  const weight = rememberWeights((name, shape) => ops.input(name, shape));
  const { logProbs } = scoringExpressions(architecture, { weight });
  const loss = ops.neg(ops.sumAll(ops.mul(logProbs, ops.input("targetWeights", ["targets"]))));
  const outputs: Record<string, Tensor> = { loss };
  if (options.withGradients) {
    const names = [...architecture.parameters.keys()];
    const wanted = names.map((name) => weight(name, architecture.parameters.get(name) ?? []));
    for (const [index, gradient] of gradients(loss, wanted).entries()) outputs[`gradient:${names[index]}`] = gradient;
  }
  const session = await createSession(outputs, { threads: options.threads });
  return {
    async run(weights, feeds) {
      const given: Record<string, Feeds[string]> = { ...feeds };
      for (const [name, shape] of architecture.parameters) {
        given[name] = { data: weights.get(name) ?? new Float32Array(0), shape };
      }
      const { loss: value, ...rest } = await session.run(given);
      if (value === undefined) throw new Error("the graph returned no loss");
      const byName = Object.entries(rest).map(([name, g]) => [name.slice("gradient:".length), floats(g)] as const);
      return { loss: floats(value)[0] ?? Number.NaN, gradients: new Map(byName) };
    },
    dispose: () => session.dispose(),
  };
}
