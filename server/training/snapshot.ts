import { createHash } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { basename } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { inSlices } from "../../engine/in-slices.ts";
import { byExchange } from "../../reward/annotations/judgement.ts";
import { judgementContext, judgementTerm } from "../../reward/annotations/judgement-term.ts";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import { loadJudgements } from "../annotations/judgements.ts";
import type { Store } from "../ports.ts";
import { type StoredExchange, toRecord } from "../store/exchange-mapping.ts";
import { slicesOf } from "../store/lineage.ts";
import { isHeldOut } from "./holdout.ts";

/** A logged reward with the term of what people have judged since, -1..1, put in. */
export type Rejudge = (logged: ExchangeRecord["reward"], annotationValue: number) => ExchangeRecord["reward"];

export interface SnapshotOptions {
  store: Store;
  runId: string;
  /** Where the JSONL goes; `<file>.sha256` beside it holds its hash as sha256sum writes it. */
  file: string;
  /** At most so many exchanges. */
  limit: number;
  rejudge: Rejudge;
  /** Exchanges that another reward judged are left out until they are re-scored: their numbers mean something else. */
  rewardVersion: string;
  /** The runs behind the adapter that training goes on from: what they used comes last. */
  usedBy: readonly string[];
  /** Exchanges whose adapter is further from `version` than this are left out: the trainer would refuse them. */
  staleness?: { version: number; most: number };
  /** Nothing but these, when given. */
  only?: ReadonlySet<string>;
  now?: () => Date;
  /** Share of the conversations that never train. Default 0. */
  holdoutShare?: number;
}

export interface Snapshot {
  exchanges: number;
  /** Of those, not used by this line of adapters before, or judged since. */
  fresh: number;
  sha256: string;
  /** How many exchanges that were looked at are left out, by reason. */
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

/** Replaces a snapshot and its hash. @returns the hash */
export async function writeSnapshotFile(file: string, content: string): Promise<string> {
  const sha256 = createHash("sha256").update(content).digest("hex");
  await writeDurably(file, content);
  await writeDurably(`${file}.sha256`, `${sha256}  ${basename(file)}\n`);
  return sha256;
}

type Chosen = { seq: number; fresh: boolean; exchange: StoredExchange };

/** The exchanges that the run takes, oldest first, and why others were passed over. */
async function choose(options: SnapshotOptions): Promise<{ chosen: Chosen[]; excluded: Record<string, number> }> {
  const { store, limit, rewardVersion, usedBy, staleness, only, holdoutShare } = options;
  const excluded: Record<string, number> = {};
  const exclude = (reason: string) => {
    excluded[reason] = (excluded[reason] ?? 0) + 1;
  };
  const candidates = (await store.exchangeQueries.trainable(usedBy)).filter((candidate) => {
    if (only !== undefined && !only.has(candidate.id)) return false;
    const { adapterVersion } = candidate;
    const isStale = staleness !== undefined && Math.abs(staleness.version - adapterVersion) > staleness.most;
    if (candidate.rewardVersion === null) exclude("no_scores");
    else if (candidate.rewardVersion !== rewardVersion) exclude("other_reward_version");
    else if (isStale) exclude("stale");
    else return true;
    return false;
  });
  const chosen: Chosen[] = [];
  for (const slice of slicesOf(candidates, 200)) {
    if (chosen.length >= limit) break;
    const exchanges = new Map((await store.exchanges.getMany(slice.map(({ id }) => id))).map((one) => [one.id, one]));
    for (const { id, seq, fresh } of slice) {
      const exchange = exchanges.get(id);
      if (exchange === undefined || chosen.length >= limit) continue;
      const record = toRecord(exchange);
      const reason = record === null ? "no_scores" : reasonToExclude(record, rewardVersion, holdoutShare);
      if (record === null || reason !== null) exclude(reason ?? "no_scores");
      else chosen.push({ seq, fresh, exchange });
    }
    await nextTurn();
  }
  return { chosen: chosen.sort((a, b) => a.seq - b.seq), excluded };
}

/**
 * Freezes what a run will train on: complete exchanges with consent, aligned log-probs and a reward of this version, one
 * JSON object a line, oldest first. What this line of adapters has not used, and what was judged after it was used, is
 * taken before the rest. The file appears whole or not at all; that the run was given these exchanges is on record
 * before.
 */
export async function writeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { store, runId, file, rejudge, now = () => new Date() } = options;
  for (;;) {
    const takenAt = now().toISOString();
    const { chosen, excluded } = await choose(options);
    const history = await loadJudgements(store);
    const inRun = new Set(chosen.map(({ exchange }) => exchange.id));
    const context = await inSlices(judgementContext(history, inRun));
    const judgements = byExchange(history);
    const records = chosen.flatMap(({ exchange }) => {
      const value = judgementTerm(judgements.get(exchange.id) ?? [], context);
      // Fine-tuning must not take up a rewrite that does not count either.
      const annotations = exchange.annotations.filter(({ id }) => !context.setAside.has(String(id)));
      const record = toRecord({ ...exchange, annotations });
      return record === null ? [] : [{ ...record, reward: rejudge(record.reward, value) }];
    });
    const taken = records.map(({ id, reward }) => ({ id, reward: reward.total }));
    // Erased, or consent withdrawn, while it was being read: choose again.
    if (!(await store.lineage.take(runId, taken, takenAt))) continue;
    const sha256 = await writeSnapshotFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    return { exchanges: records.length, fresh: chosen.filter(({ fresh }) => fresh).length, sha256, excluded };
  }
}
