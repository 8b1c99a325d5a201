/**
 * Reads a snapshot of logged exchanges. A reply whose log-probs are not complete and aligned is left out and counted,
 * never repaired; token ids are the logged ones, text is never tokenized again.
 */
import type { Architecture } from "../../engine/architectures/architecture.ts";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import type { TrainingJob } from "../contract.ts";
import { readExchanges, type SnapshotExchange } from "../read-exchanges.ts";
import type { PpoSettings } from "../settings.ts";
import { fedLength, type TokenSequence } from "../token-sequences.ts";
import { TrainerError } from "../trainer-error.ts";
import type { Rollout, RolloutSource } from "./rollout.ts";

export type DiscardReason =
  | "no_consent"
  | "cut"
  | "cut_by_limit"
  | "empty"
  | "misaligned_log_probs"
  | "impossible_log_probs"
  | "greedy"
  | "no_reward"
  | "unknown_adapter"
  | "stale"
  | "other_base_model"
  | "does_not_fit_model"
  | "longer_than_pass";

export interface SnapshotLimits extends Pick<PpoSettings, "maxStaleness" | "cutReplies" | "maxTokensPerPass"> {
  /** Version that this run continues from; 0 is the base model. */
  version: number;
  baseSha256: string;
  /** sha256 by version of every adapter that the registry knows. */
  knownAdapters: ReadonlyMap<number, string>;
  vocabularySize: number;
  contextLength: number;
}

/** Fewer replies than this teach nothing but noise. */
export const fewestReplies = 4;

/** Why a sequence cannot be put through the model; null when it can. */
export function misfit(
  sequence: TokenSequence,
  { vocabularySize, contextLength }: Pick<Architecture, "vocabularySize" | "contextLength">,
  { maxTokensPerPass }: Pick<PpoSettings, "maxTokensPerPass">,
): "does_not_fit_model" | "longer_than_pass" | null {
  const known = (token: number) => token >= 0 && token < vocabularySize;
  if (!sequence.promptTokens.every(known) || !sequence.replyTokens.every(known)) return "does_not_fit_model";
  if (fedLength(sequence) > contextLength) return "does_not_fit_model";
  return fedLength(sequence) > maxTokensPerPass ? "longer_than_pass" : null;
}

function reasonToDiscard(record: SnapshotExchange, limits: SnapshotLimits): DiscardReason | null {
  const { promptTokens, replyTokens, logProbs, adapter } = record;
  if (!record.consent) return "no_consent";
  if (record.finishReason === "cancelled" || record.finishReason === "error") return "cut";
  if (record.finishReason === "length" && limits.cutReplies === "mask") return "cut_by_limit";
  if (promptTokens.length === 0 || replyTokens.length === 0) return "empty";
  if (logProbs.length !== replyTokens.length) return "misaligned_log_probs";
  if (!logProbs.every((value) => value !== null && value <= 0)) return "impossible_log_probs";
  if (record.sampling.temperature === 0) return "greedy";
  if (record.reward.total === null) return "no_reward";
  if (adapter.version === 0 && adapter.sha256 !== limits.baseSha256) return "other_base_model";
  if (adapter.version !== 0 && limits.knownAdapters.get(adapter.version) !== adapter.sha256) return "unknown_adapter";
  if (Math.abs(limits.version - adapter.version) > limits.maxStaleness) return "stale";
  return misfit(record, limits, limits);
}

/**
 * @returns the replies to train on, in the file's order, and how many lines were left out, by reason
 * @throws TrainerError `bad_snapshot` naming file and line of what is no exchange at all, `tampered_snapshot` when the
 *   file is not the one whose sha256 is given
 */
export function readSnapshot(
  path: string,
  sha256: string,
  limits: SnapshotLimits,
): { replies: Rollout[]; discarded: Partial<Record<DiscardReason, number>> } {
  const replies: Rollout[] = [];
  const discarded: Partial<Record<DiscardReason, number>> = {};
  for (const record of readExchanges(path, sha256)) {
    const reason = reasonToDiscard(record, limits);
    if (reason !== null) {
      discarded[reason] = (discarded[reason] ?? 0) + 1;
      continue;
    }
    replies.push({
      id: record.id,
      exchange: record.id,
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

/** The whole snapshot as one round. @throws TrainerError as `readSnapshot`, and `too_few_exchanges` */
export function loggedRollouts(job: TrainingJob, base: BaseModel, settings: PpoSettings): RolloutSource {
  const { vocabularySize, contextLength } = base.architecture;
  const { replies, discarded } = readSnapshot(job.snapshot, job.snapshotSha256, {
    ...settings,
    version: job.parentAdapter?.version ?? 0,
    baseSha256: base.sha256,
    knownAdapters: new Map(job.knownAdapters.map(({ version, sha256 }) => [version, sha256])),
    vocabularySize,
    contextLength,
  });
  if (replies.length < fewestReplies) {
    const reasons = Object.entries(discarded).map(([reason, count]) => `, ${count} left out (${reason})`);
    throw new TrainerError("too_few_exchanges", `only ${replies.length} replies to train on${reasons.join("")}`);
  }
  return {
    rounds: 1,
    repliesPerRound: replies.length,
    exchanges: replies.length,
    discarded,
    round: async () => replies,
    dispose: async () => undefined,
  };
}
