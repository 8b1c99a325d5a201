/** Everything that the checks of a gate rest on. */
import type { Likelihood } from "./likelihoods.ts";
import type { MeasuredReply } from "./measure-replies.ts";

export interface MeasuredPair {
  candidate: MeasuredReply;
  baseline: MeasuredReply;
}

export interface Measurements {
  /** [rounds, prompts]: each round one pair of replies to every prompt. */
  rounds: readonly (readonly MeasuredPair[])[];
  /** [sentences, groups]. */
  swaps: readonly (readonly MeasuredPair[])[];
  /** Of the candidate's replies of the first round, at its own contexts. */
  replies: readonly Likelihood[];
  /** Of replies that people gave to held-out prompts. */
  heldOut: readonly Likelihood[];
  probe: { difference: number; limit: number } | null;
}
