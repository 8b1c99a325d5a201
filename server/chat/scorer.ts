import type { ChatMessage } from "../../engine/types.ts";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import type { FinishReason, ReplyToxicity } from "../protocol/index.ts";

export interface Judgement {
  toxicity: ReplyToxicity;
  reward: ExchangeRecord["reward"];
}

/** What the chat needs of the reward models. */
export interface Scorer {
  readonly name: string;
  readonly version: string;
  judge(exchange: { messages: readonly ChatMessage[]; reply: string; finishReason: FinishReason }): Promise<Judgement>;
  /** Perspective attribute names to probabilities (0..1). */
  attributes(text: string): Promise<Record<string, number>>;
}
