/** Exchanges for the tests of this folder, sampled from a model and adapter as a server would. */
import { writeFileSync } from "node:fs";
import { scoringExpressions } from "../../engine/architectures/scoring-graph.ts";
import type { Checkpoint } from "../../engine/checkpoint/checkpoint.ts";
import type { LoraAdapter, LoraShape } from "../../engine/lora/adapter.ts";
import { loraFeeds } from "../../engine/lora/lora-context.ts";
import { createSession, floats } from "../../engine/runtime/session.ts";
import type { ExchangeRecord } from "../contract.ts";
import { loraModel } from "../lora-graph.ts";
import { packSequences, type TokenSequence } from "../token-sequences.ts";

/** A complete exchange with a reply of two tokens, but for what `changes` says. */
export function sampleExchange(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    id: "exchange",
    conversationId: "conversation",
    createdAt: "2026-03-01T10:00:00.000Z",
    messages: [{ role: "user", content: "They are all lazy." }],
    reply: "Many work two jobs.",
    promptTokens: [1, 2, 3],
    replyTokens: [4, 0],
    logProbs: [-0.5, -1.25],
    sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
    finishReason: "stop",
    adapter: { name: "rejoinder", version: 0, sha256: "base" },
    toxicity: { prompt: 0.75, reply: 0.125 },
    reward: { version: "sample", total: 0.5, terms: { toxicity: 0.5 } },
    annotations: [],
    consent: true,
    ...changes,
  };
}

export function writeExchanges(path: string, exchanges: readonly ExchangeRecord[]): void {
  writeFileSync(path, exchanges.map((exchange) => `${JSON.stringify(exchange)}\n`).join(""));
}

export interface ReplySampler {
  /** One reply a prompt, all of `length` tokens, drawn at the temperature. */
  sample(
    adapter: LoraAdapter,
    prompts: readonly number[][],
    options: { length: number; temperature: number; random: () => number },
  ): Promise<{ replyTokens: number[]; logProbs: number[] }[]>;
  dispose(): Promise<void>;
}

export async function createReplySampler(checkpoint: Checkpoint, shape: LoraShape): Promise<ReplySampler> {
  const { logits } = scoringExpressions(checkpoint.architecture, loraModel(checkpoint, shape).context);
  const session = await createSession({ logits }, { threads: 1, ...checkpoint.source });
  return {
    async sample(adapter, prompts, { length, temperature, random }) {
      const replies = prompts.map(() => ({ replyTokens: [] as number[], logProbs: [] as number[] }));
      for (let step = 0; step < length; step++) {
        // A stand-in for the token to come: its place is what predicts it.
        const sequences = prompts.map((prompt, row): TokenSequence => {
          return { promptTokens: [...prompt, ...(replies[row]?.replyTokens ?? [])], replyTokens: [0] };
        });
        const { targets: _, ...feeds } = packSequences(sequences).feeds;
        const found = await session.run({ ...feeds, ...loraFeeds(checkpoint.architecture, adapter) });
        const all = floats(found.logits);
        const width = checkpoint.architecture.vocabularySize;
        for (const [row, reply] of replies.entries()) {
          const scaled = [...all.subarray(row * width, (row + 1) * width)].map((logit) => logit / temperature);
          const normalizer = Math.log(scaled.reduce((sum, logit) => sum + Math.exp(logit), 0));
          let left = random();
          const found = scaled.findIndex((logit) => {
            left -= Math.exp(logit - normalizer);
            return left <= 0;
          });
          const token = found === -1 ? width - 1 : found;
          reply.replyTokens.push(token);
          reply.logProbs.push((scaled[token] as number) - normalizer);
        }
      }
      return replies;
    },
    dispose: () => session.dispose(),
  };
}
