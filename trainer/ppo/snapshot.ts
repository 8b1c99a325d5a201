/**
 * Reads a snapshot of logged exchanges. A reply whose log-probs are not complete and aligned is left out and counted,
 * never repaired; token ids are the logged ones, text is never tokenized again.
 */
import { readExchanges, type SnapshotExchange } from "../read-exchanges.ts";
import { fedLength, type TokenSequence } from "../token-sequences.ts";

/** What PPO needs of an exchange. */
export interface LoggedReply extends TokenSequence {
  id: string;
  /** Log-probs (nats) of the reply tokens under the distribution they were sampled from, all finite. */
  behaviourLogProbs: Float32Array;
  temperature: number;
  reward: number;
  /** The reply ended with its end token and was not cut by a limit. */
  ended: boolean;
}

export type DiscardReason =
  | "no_consent"
  | "cut"
  | "empty"
  | "misaligned_log_probs"
  | "impossible_log_probs"
  | "greedy"
  | "no_reward"
  | "stale"
  | "other_base_model"
  | "does_not_fit_model";

export interface SnapshotLimits {
  /** Version that this run continues from; 0 is the base model. */
  version: number;
  maxStaleness: number;
  baseSha256: string;
  vocabularySize: number;
  contextLength: number;
}

function reasonToDiscard(record: SnapshotExchange, limits: SnapshotLimits): DiscardReason | null {
  const { promptTokens, replyTokens, logProbs, adapter } = record;
  if (!record.consent) return "no_consent";
  if (record.finishReason === "cancelled" || record.finishReason === "error") return "cut";
  if (promptTokens.length === 0 || replyTokens.length === 0) return "empty";
  if (logProbs.length !== replyTokens.length) return "misaligned_log_probs";
  if (!logProbs.every((value) => value !== null && value <= 0)) return "impossible_log_probs";
  if (record.sampling.temperature === 0) return "greedy";
  if (record.reward.total === null) return "no_reward";
  if (Math.abs(limits.version - adapter.version) > limits.maxStaleness) return "stale";
  if (adapter.version === 0 && adapter.sha256 !== limits.baseSha256) return "other_base_model";
  const known = (token: number) => token >= 0 && token < limits.vocabularySize;
  if (!promptTokens.every(known) || !replyTokens.every(known)) return "does_not_fit_model";
  return fedLength(record) > limits.contextLength ? "does_not_fit_model" : null;
}

/**
 * @returns the replies to train on, in the file's order, and how many lines were left out, by reason
 * @throws TrainerError `bad_snapshot` naming file and line of what is no exchange at all
 */
export function readSnapshot(
  path: string,
  limits: SnapshotLimits,
): { replies: LoggedReply[]; discarded: Partial<Record<DiscardReason, number>> } {
  const replies: LoggedReply[] = [];
  const discarded: Partial<Record<DiscardReason, number>> = {};
  for (const record of readExchanges(path)) {
    const reason = reasonToDiscard(record, limits);
    if (reason !== null) {
      discarded[reason] = (discarded[reason] ?? 0) + 1;
      continue;
    }
    replies.push({
      id: record.id,
      promptTokens: record.promptTokens,
      replyTokens: record.replyTokens,
      behaviourLogProbs: Float32Array.from(record.logProbs as number[]),
      temperature: record.sampling.temperature,
      reward: record.reward.total ?? 0,
      ended: record.finishReason === "stop",
    });
  }
  return { replies, discarded };
}
