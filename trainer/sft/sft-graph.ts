/** Cross-entropy of replies, with its gradients by the LoRA matrices. */
import { scoringExpressions } from "../../engine/architectures/scoring-graph.ts";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import type { LoraAdapter, LoraShape } from "../../engine/lora/adapter.ts";
import { loraFeeds } from "../../engine/lora/lora-context.ts";
import { createSession, floats } from "../../engine/runtime/session.ts";
import { loraGradients, loraModel } from "../lora-graph.ts";
import { packSequences, type TokenSequence } from "../token-sequences.ts";

export interface SftGraph {
  /** Mean loss (nats a reply token) and its gradients by matrix name. */
  run(
    adapter: LoraAdapter,
    batch: readonly TokenSequence[],
  ): Promise<{ loss: number; gradients: Map<string, Float32Array> }>;
  dispose(): Promise<void>;
}

/** loss = -mean over the batch's reply tokens of log p(token | all before it). Prompts are never targets. */
export async function createSftGraph(
  base: BaseModel,
  shape: LoraShape,
  options: { threads: number },
): Promise<SftGraph> {
  const { context, lora } = loraModel(base, shape);
  const { logProbs } = scoringExpressions(base.architecture, context);
  const loss = ops.neg(ops.sumAll(ops.mul(logProbs, ops.input("targetWeights", ["targets"]))));
  const outputs: Record<string, Tensor> = { loss, ...loraGradients(loss, lora) };
  const session = await createSession(outputs, { threads: options.threads, planMemory: false, ...base.source });
  return {
    async run(adapter, batch) {
      const { feeds, targets } = packSequences(batch);
      const { loss: value, ...rest } = await session.run({
        ...feeds,
        targetWeights: { data: new Float32Array(targets).fill(1 / targets), shape: [targets] },
        ...loraFeeds(base.architecture, adapter),
      });
      if (value === undefined) throw new Error("the graph returned no loss");
      const named = Object.entries(rest).map(([name, g]) => [name.slice("gradient:".length), floats(g)] as const);
      return { loss: floats(value)[0] ?? Number.NaN, gradients: new Map(named) };
    },
    dispose: () => session.dispose(),
  };
}
