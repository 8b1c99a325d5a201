import { createHash } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { basename } from "node:path";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import type { Store } from "../ports.ts";
import { toRecord } from "../store/exchange-mapping.ts";
import { isHeldOut } from "./holdout.ts";

/** Recomputes a logged exchange's reward from its terms and what annotators have said since. */
export type Rejudge = (record: ExchangeRecord) => ExchangeRecord["reward"];

export interface SnapshotOptions {
  store: Store;
  /** Where the JSONL goes; `<file>.sha256` beside it holds its hash as sha256sum writes it. */
  file: string;
  /** The newest so many exchanges that may train. */
  limit: number;
  rejudge: Rejudge;
  /** Exchanges that another reward judged are left out: their numbers mean something else. */
  rewardVersion: string;
  /** Share of the conversations that never train. Default 0. */
  holdoutShare?: number;
}

export interface Snapshot {
  exchanges: number;
  sha256: string;
  /** How many exchanges that were offered are left out, by reason. */
  excluded: Record<string, number>;
}

/** Why an exchange must not train although the log offers it; null when it may. */
export function reasonToExclude(record: ExchangeRecord, rewardVersion: string, holdoutShare = 0): string | null {
  if (!record.consent) return "no_consent";
  if (isHeldOut(record.conversationId, holdoutShare)) return "held_out";
  if (record.finishReason === "cancelled" || record.finishReason === "error") return "cut";
  if (record.promptTokens.length === 0 || record.replyTokens.length === 0) return "empty";
  if (record.replyTokens.length !== record.logProbs.length) return "misaligned_log_probs";
  if (!record.logProbs.every((value) => Number.isFinite(value))) return "misaligned_log_probs";
  if (record.reward.version !== rewardVersion) return "other_reward_version";
  if (!Number.isFinite(record.reward.total)) return "no_reward";
  return null;
}

async function writeDurably(file: string, content: string): Promise<void> {
  const partial = `${file}.partial`;
  const handle = await open(partial, "w");
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
}

/**
 * Freezes what a run will train on: complete exchanges with consent, aligned log-probs and a reward of this version, one
 * JSON object a line, oldest first. The file appears whole or not at all.
 */
export async function writeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { store, file, limit, rejudge, rewardVersion, holdoutShare } = options;
  const excluded: Record<string, number> = {};
  const lines: string[] = [];
  for (const exchange of await store.exchangeQueries.trainable(limit)) {
    const logged = toRecord(exchange);
    const reason = logged === null ? "no_scores" : reasonToExclude(logged, rewardVersion, holdoutShare);
    if (logged === null || reason !== null) {
      excluded[reason ?? "no_scores"] = (excluded[reason ?? "no_scores"] ?? 0) + 1;
      continue;
    }
    lines.push(`${JSON.stringify({ ...logged, reward: rejudge(logged) })}\n`);
  }
  const content = lines.join("");
  const sha256 = createHash("sha256").update(content).digest("hex");
  await writeDurably(file, content);
  await writeDurably(`${file}.sha256`, `${sha256}  ${basename(file)}\n`);
  return { exchanges: lines.length, sha256, excluded };
}
