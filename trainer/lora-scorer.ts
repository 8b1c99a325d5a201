/** What the adapted model makes of replies that are already there. */
import { scoringExpressions } from "../engine/architectures/scoring-graph.ts";
import type { BaseModel } from "../engine/checkpoint/base-model.ts";
import * as ops from "../engine/graph/ops.ts";
import type { LoraAdapter, LoraShape } from "../engine/lora/adapter.ts";
import { loraFeeds } from "../engine/lora/lora-context.ts";
import { createSession, floats } from "../engine/runtime/session.ts";
import { loraModel } from "./lora-graph.ts";
import { packSequences, type TokenSequence } from "./token-sequences.ts";

/** A sequence with the temperature its reply is to be judged at. */
export interface ScoredSequence extends TokenSequence {
  temperature: number;
}

export interface SequenceScores {
  /** Log-prob (nats) of each reply token under softmax(logits / temperature). */
  logProbs: Float32Array;
  /** Last hidden states that predict the reply tokens, one row after another [reply tokens, hidden]. */
  hidden: Float32Array;
}

export interface LoraScorer {
  /** Scores in the order of the sequences. */
  score(adapter: LoraAdapter, sequences: readonly ScoredSequence[]): Promise<SequenceScores[]>;
  dispose(): Promise<void>;
}

/** @param shape of every adapter that will be scored with */
export async function createLoraScorer(
  base: BaseModel,
  shape: LoraShape,
  options: { threads: number },
): Promise<LoraScorer> {
  const { architecture } = base;
  const { context } = loraModel(base, shape);
  const { logits, hidden } = scoringExpressions(architecture, context);
  const scaled = ops.mul(logits, ops.input("inverseTemperatures", ["targets", 1]));
  const logProbs = ops.tokenLogProbs(scaled, ops.input("targets", ["targets"], "int64"));
  const session = await createSession(
    { logProbs, hidden },
    { threads: options.threads, planMemory: false, ...base.source },
  );
  return {
    async score(adapter, sequences) {
      const { feeds, targets, spans } = packSequences(sequences);
      const inverse = Float32Array.from(
        sequences.flatMap(({ temperature, replyTokens }) => replyTokens.map(() => 1 / temperature)),
      );
      const result = await session.run({
        ...feeds,
        inverseTemperatures: { data: inverse, shape: [targets, 1] },
        ...loraFeeds(architecture, adapter),
      });
      const width = architecture.hiddenSize;
      return spans.map(({ start, end }) => ({
        logProbs: floats(result.logProbs).slice(start, end),
        hidden: floats(result.hidden).slice(start * width, end * width),
      }));
    },
    dispose: () => session.dispose(),
  };
}
