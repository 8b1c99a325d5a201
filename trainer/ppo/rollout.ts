/** Replies to train on, whoever sampled them. */
import type { LoraAdapter } from "../../engine/lora/adapter.ts";
import type { TokenSequence } from "../token-sequences.ts";

/** A reply with what it was worth and how likely it was when it was sampled. */
export interface Rollout extends TokenSequence {
  id: string;
  /** The logged exchange that the reply, or the prompt of a fresh one, comes from; null for a prompt from elsewhere. */
  exchange: string | null;
  /** Log-probs (nats) of the reply tokens under the distribution they were sampled from, all finite. */
  behaviourLogProbs: Float32Array;
  temperature: number;
  reward: number;
  /** The reply ended by itself and was not cut by a limit. */
  ended: boolean;
}

/** Where replies come from, round by round. */
export interface RolloutSource {
  rounds: number;
  /** Replies of a round, at most: what the number of steps is planned by. */
  repliesPerRound: number;
  /** Exchanges or prompts that may train, and how many were left out, by reason. */
  exchanges: number;
  discarded: Record<string, number>;
  /**
   * The replies of a round. The same again for a round that has begun, whatever the policy is by now.
   *
   * @param policy as it is when the round begins
   * @param hasBegun whether the policy has been trained on replies of this round already
   * @returns null when the signal came first
   */
  round(
    index: number,
    policy: LoraAdapter,
    options: { hasBegun: boolean; signal: AbortSignal },
  ): Promise<Rollout[] | null>;
  dispose(): Promise<void>;
}
