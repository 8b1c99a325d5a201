/** Cross-entropy of replies, with its gradients by the LoRA matrices. */
import { scoringExpressions } from "../../engine/architectures/scoring-graph.ts";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import type { LoraAdapter, LoraShape } from "../../engine/lora/adapter.ts";
import { loraFeeds } from "../../engine/lora/lora-context.ts";
import { createSession, floats } from "../../engine/runtime/session.ts";
import { lengthBuckets } from "../length-buckets.ts";
import { addArrays, loraGradients, loraModel } from "../lora-graph.ts";
import { packSequences, type TokenSequence } from "../token-sequences.ts";

export interface SftPass {
  /** Mean loss (nats a reply token). */
  loss: number;
  /** By matrix name. */
  gradients: Map<string, Float32Array>;
}

export interface SftGraph {
  /** @param tokens reply tokens to take the mean over: those of the whole batch, so that its passes add up */
  run(adapter: LoraAdapter, sequences: readonly TokenSequence[], tokens: number): Promise<SftPass>;
  dispose(): Promise<void>;
}

/** loss = -1/tokens sum over the reply tokens of log p(token | all before it). Prompts are never targets. */
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
    async run(adapter, sequences, tokens) {
      const { feeds, targets } = packSequences(sequences);
      const { loss: value, ...rest } = await session.run({
        ...feeds,
        targetWeights: { data: new Float32Array(targets).fill(1 / tokens), shape: [targets] },
        ...loraFeeds(base.architecture, adapter),
      });
      if (value === undefined) throw new Error("the graph returned no loss");
      const named = Object.entries(rest).map(([name, g]) => [name.slice("gradient:".length), floats(g)] as const);
      return { loss: floats(value)[0] ?? Number.NaN, gradients: new Map(named) };
    },
    dispose: () => session.dispose(),
  };
}

/** Loss and gradients of a batch, accumulated over as many passes as its length asks for. */
export async function differentiateSft(
  graph: SftGraph,
  adapter: LoraAdapter,
  batch: readonly TokenSequence[],
  maxTokensPerPass: number,
): Promise<SftPass> {
  const tokens = batch.reduce((sum, { replyTokens }) => sum + replyTokens.length, 0);
  let total: SftPass | null = null;
  for (const sequences of lengthBuckets(batch, maxTokensPerPass, 0)) {
    const pass = await graph.run(adapter, sequences, tokens);
    total =
      total === null ? pass : { loss: total.loss + pass.loss, gradients: addArrays(total.gradients, pass.gradients) };
  }
  if (total === null) throw new RangeError("a batch needs at least one example");
  return total;
}
