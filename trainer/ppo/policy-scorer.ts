/** The policy and its frozen reference side by side: what PPO compares before it changes anything. */
import { scoringExpressions, scoringInputs } from "../../engine/architectures/scoring-graph.ts";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import { withTensors } from "../../engine/checkpoint/weight-source.ts";
import * as ops from "../../engine/graph/ops.ts";
import type { LoraAdapter, LoraShape } from "../../engine/lora/adapter.ts";
import { loraFeeds } from "../../engine/lora/lora-context.ts";
import { createSession, floats } from "../../engine/runtime/session.ts";
import { frozenLora, loraModel } from "../lora-graph.ts";
import type { ScoredSequence, SequenceScores } from "../lora-scorer.ts";
import { packSequences } from "../token-sequences.ts";

export interface PolicyScores extends SequenceScores {
  /** Log-prob (nats) of each reply token under the reference, at the same temperature. */
  referenceLogProbs: Float32Array;
  /**
   * KL(policy || reference) of the whole next-token distribution before each reply token, nats. Exact: an estimate from
   * the logged tokens, which the policy did not sample, is at the mercy of single tokens it has since turned from.
   */
  referenceKl: Float32Array;
}

export interface PolicyScorer {
  /** @param policy adapter of the shape that the scorer was made for */
  score(policy: LoraAdapter, sequences: readonly ScoredSequence[]): Promise<PolicyScores[]>;
  dispose(): Promise<void>;
}

/**
 * @param reference adapter whose matrices become constants of the graph
 * @param options.shape of the policies that will be scored. Default: the reference's
 */
export async function createPolicyScorer(
  base: BaseModel,
  reference: LoraAdapter,
  options: { threads: number; shape?: LoraShape },
): Promise<PolicyScorer> {
  const { architecture } = base;
  const { context } = loraModel(base, options.shape ?? reference.shape);
  const frozen = frozenLora(architecture, reference);
  const inputs = scoringInputs();
  const policy = scoringExpressions(architecture, context, inputs);
  const anchor = scoringExpressions(architecture, { ...context, adapt: frozen.adapt }, inputs);
  const inverse = ops.input("inverseTemperatures", ["targets", 1]);
  const [logits, anchorLogits] = [ops.mul(policy.logits, inverse), ops.mul(anchor.logits, inverse)];
  const logDistribution = ops.logSoftmax(logits);
  const difference = ops.sub(logDistribution, ops.logSoftmax(anchorLogits));
  const outputs = {
    logProbs: ops.tokenLogProbs(logits, inputs.targets),
    hidden: policy.hidden,
    referenceLogProbs: ops.tokenLogProbs(anchorLogits, inputs.targets),
    referenceKl: ops.reduceSum(ops.mul(ops.exp(logDistribution), difference), [-1]),
  };
  const source = withTensors(base.source, frozen.tensors);
  const session = await createSession(outputs, { threads: options.threads, planMemory: false, ...source });
  return {
    async score(adapter, sequences) {
      const packed = packSequences(sequences);
      const temperatures = sequences.flatMap(({ temperature, replyTokens }) => replyTokens.map(() => 1 / temperature));
      const found = await session.run({
        ...packed.feeds,
        inverseTemperatures: { data: Float32Array.from(temperatures), shape: [packed.targets, 1] },
        ...loraFeeds(architecture, adapter),
      });
      const width = architecture.hiddenSize;
      return packed.spans.map(({ start, end }) => ({
        logProbs: floats(found.logProbs).slice(start, end),
        hidden: floats(found.hidden).slice(start * width, end * width),
        referenceLogProbs: floats(found.referenceLogProbs).slice(start, end),
        referenceKl: floats(found.referenceKl).slice(start, end),
      }));
    },
    dispose: () => session.dispose(),
  };
}
