import { setImmediate as nextTurn } from "node:timers/promises";
import type { Judgement } from "../../reward/annotations/judgement.ts";
import type { Store } from "../store/index.ts";

const rowsPerSlice = 2000;

async function annotatorsOf(store: Store, after: number): Promise<{ last: number | null; found: Judgement[] }> {
  const rows = await store.db
    .selectFrom("annotations")
    .innerJoin("exchanges", "exchanges.id", "annotations.exchange_id")
    .select(["annotations.id", "exchange_id", "annotator", "label", "severity", "review"])
    .select(["annotations.created_at as at", "adapter_version", "owner", "conversation_id"])
    .where("annotations.id", ">", after)
    .orderBy("annotations.id")
    .limit(rowsPerSlice)
    .execute();
  const found = rows.map(
    (row): Judgement => ({
      id: String(row.id),
      exchangeId: row.exchange_id,
      judge: row.annotator,
      source: "annotator",
      label: row.label,
      ...(row.severity === null ? {} : { severity: row.severity }),
      at: row.at,
      about: { adapter: row.adapter_version, owner: row.owner, conversation: row.conversation_id },
      ...(row.review === null ? {} : { review: row.review }),
    }),
  );
  return { last: rows.at(-1)?.id ?? null, found };
}

async function thumbsOf(store: Store, after: number): Promise<{ last: number | null; found: Judgement[] }> {
  const rows = await store.db
    .selectFrom("exchanges")
    .select(["seq", "id", "owner", "feedback", "created_at", "completed_at", "adapter_version", "conversation_id"])
    .where("seq", ">", after)
    .where("status", "=", "complete")
    .where("feedback", "!=", 0)
    .orderBy("seq")
    .limit(rowsPerSlice)
    .execute();
  const found = rows.map(
    (row): Judgement => ({
      id: `thumb:${row.id}`,
      exchangeId: row.id,
      judge: row.owner,
      source: "chatter",
      label: row.feedback > 0 ? "thumbs_up" : "thumbs_down",
      at: row.completed_at ?? row.created_at,
      about: { adapter: row.adapter_version, owner: row.owner, conversation: row.conversation_id },
    }),
  );
  return { last: rows.at(-1)?.seq ?? null, found };
}

/** Everything that people have said about replies: annotators' judgements and chatters' thumbs; in slices. */
export async function loadJudgements(store: Store): Promise<Judgement[]> {
  const all: Judgement[] = [];
  for (const read of [annotatorsOf, thumbsOf]) {
    for (let after: number | null = 0; after !== null; ) {
      const { last, found } = await read(store, after);
      all.push(...found);
      after = last;
      await nextTurn();
    }
  }
  return all;
}
