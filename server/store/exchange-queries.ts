import { setImmediate as nextTurn } from "node:timers/promises";
import { type ExpressionBuilder, type Kysely, sql } from "kysely";
import type { Page } from "../protocol/index.ts";
import type { StoredExchange } from "./exchange-mapping.ts";
import type { ExchangeRepository } from "./exchanges.ts";
import { slicesOf } from "./lineage.ts";
import type { AnnotationTable, Database, ExchangeTable } from "./schema.ts";

/** Every field narrows; all that are given must hold. */
export interface ExchangeFilter {
  conversationId?: string;
  owner?: string;
  adapterVersion?: number;
  status?: ExchangeTable["status"];
  finishReason?: ExchangeTable["finish_reason"];
  consent?: boolean;
  feedback?: number;
  label?: AnnotationTable["label"];
  /** Least toxicity of prompt and reply, 0..1. */
  minPromptToxicity?: number;
  minReplyToxicity?: number;
  /** ISO dates; since is inclusive, until exclusive. */
  since?: string;
  until?: string;
  /** Words that occur in the messages or the reply, letter case aside. */
  text?: string;
}

/** What decides whether and when a run takes an exchange. */
export interface TrainableExchange {
  seq: number;
  id: string;
  adapterVersion: number;
  rewardVersion: string | null;
  /** Not used by the line yet, or judged since. */
  fresh: boolean;
}

function conditions(filter: ExchangeFilter) {
  return (eb: ExpressionBuilder<Database, "exchanges">) => {
    const all = [];
    if (filter.conversationId !== undefined) all.push(eb("exchanges.conversation_id", "=", filter.conversationId));
    if (filter.owner !== undefined) all.push(eb("owner", "=", filter.owner));
    if (filter.adapterVersion !== undefined) all.push(eb("adapter_version", "=", filter.adapterVersion));
    if (filter.status !== undefined) all.push(eb("status", "=", filter.status));
    if (filter.finishReason !== undefined) all.push(eb("finish_reason", "=", filter.finishReason));
    if (filter.consent !== undefined) all.push(eb("consent", "=", filter.consent ? 1 : 0));
    if (filter.feedback !== undefined) all.push(eb("feedback", "=", filter.feedback));
    if (filter.minPromptToxicity !== undefined) all.push(eb("prompt_toxicity", ">=", filter.minPromptToxicity));
    if (filter.minReplyToxicity !== undefined) all.push(eb("reply_toxicity", ">=", filter.minReplyToxicity));
    if (filter.since !== undefined) all.push(eb("created_at", ">=", filter.since));
    if (filter.until !== undefined) all.push(eb("created_at", "<", filter.until));
    if (filter.text !== undefined) {
      const pattern = `%${filter.text.toLowerCase().replace(/[\\%_]/g, "\\$&")}%`;
      const quoted = `%${JSON.stringify(filter.text.toLowerCase())
        .slice(1, -1)
        .replace(/[\\%_]/g, "\\$&")}%`;
      all.push(sql<boolean>`(lower(reply) like ${pattern} escape '\\' or lower(messages) like ${quoted} escape '\\')`);
    }
    if (filter.label !== undefined) {
      all.push(
        eb.exists(
          eb
            .selectFrom("annotations")
            .select("annotations.id")
            .whereRef("annotations.exchange_id", "=", "exchanges.id")
            .where("annotations.label", "=", filter.label),
        ),
      );
    }
    return eb.and(all);
  };
}

/** Finish reasons of replies that nobody cut short. */
const endedByItself = ["stop", "length"] as const;
/** Read at once, so that a large log holds up no chat. */
const rowsPerSlice = 1000;

/** Questions about many exchanges at once: pages, exports, what may train. */
export function createExchangeQueries(db: Kysely<Database>, exchanges: ExchangeRepository) {
  const trainable: ExchangeFilter = { status: "complete", consent: true };

  return {
    /** Newest first. `cursor` is the `nextCursor` of the page before. */
    async page(filter: ExchangeFilter, limit: number, cursor: string | null): Promise<Page<StoredExchange>> {
      let query = db.selectFrom("exchanges").selectAll().where(conditions(filter)).orderBy("seq", "desc");
      if (cursor !== null) query = query.where("seq", "<", Number(cursor));
      const rows = await query.limit(limit + 1).execute();
      const counted = await db
        .selectFrom("exchanges")
        .select((eb) => eb.fn.countAll<number>().as("total"))
        .where(conditions(filter))
        .executeTakeFirstOrThrow();
      const kept = rows.slice(0, limit);
      return {
        items: await exchanges.withAnnotations(kept),
        nextCursor: rows.length > limit ? String(kept.at(-1)?.seq) : null,
        total: counted.total,
      };
    },

    /** Oldest first, read in bites so that an export of a large log holds up no chat. */
    async *each(filter: ExchangeFilter): AsyncGenerator<StoredExchange, void, void> {
      let last = 0;
      for (;;) {
        const query = db.selectFrom("exchanges").selectAll().where(conditions(filter)).where("seq", ">", last);
        const rows = await query.orderBy("seq").limit(200).execute();
        yield* await exchanges.withAnnotations(rows);
        const end = rows.at(-1);
        if (end === undefined) return;
        last = end.seq;
      }
    },

    /**
     * Exchanges that may train (complete, with consent, ended by themselves), in the order in which a run takes them:
     * first those that none of `usedBy` was given, or that somebody has judged since; within that the newest, a judgement
     * making an exchange new again.
     * @param usedBy the runs behind the adapter that training goes on from
     */
    async trainable(usedBy: readonly string[]): Promise<TrainableExchange[]> {
      const found: (TrainableExchange & { newsAt: string })[] = [];
      for (let last = 0; ; ) {
        const rows = await db
          .selectFrom("exchanges")
          .select(["seq", "id", "adapter_version", "reward_version", "completed_at"])
          .select([lastUse(usedBy).as("used_at"), lastJudgement.as("judged_at")])
          .where(conditions(trainable))
          .where("finish_reason", "in", endedByItself)
          .where("seq", ">", last)
          .orderBy("seq")
          .limit(rowsPerSlice)
          .execute();
        const end = rows.at(-1);
        if (end === undefined) break;
        last = end.seq;
        for (const row of rows) {
          const { seq, id, adapter_version, reward_version, completed_at, used_at, judged_at } = row;
          const newsAt = [completed_at ?? "", judged_at ?? ""].sort().at(-1) ?? "";
          const fresh = used_at === null || (judged_at !== null && judged_at > used_at);
          found.push({ seq, id, adapterVersion: adapter_version, rewardVersion: reward_version, fresh, newsAt });
        }
        await nextTurn();
      }
      const newestFirst = (a: string, b: string) => (a < b ? 1 : a > b ? -1 : 0);
      return found
        .sort((a, b) => Number(b.fresh) - Number(a.fresh) || newestFirst(a.newsAt, b.newsAt) || b.seq - a.seq)
        .map(({ newsAt: _, ...exchange }) => exchange);
    },

    /** Versions of the adapters that wrote these exchanges, each once. */
    async adapterVersionsOf(ids: readonly string[]): Promise<number[]> {
      const versions = new Set<number>();
      for (const slice of slicesOf(ids)) {
        const query = db.selectFrom("exchanges").select("adapter_version").distinct().where("id", "in", slice);
        for (const row of await query.execute()) versions.add(row.adapter_version);
      }
      return [...versions];
    },

    /**
     * How many exchanges that may train were completed after this ISO date (all when null), or had been used by one of
     * `usedBy` and were judged after it.
     */
    async countTrainableSince(date: string | null, usedBy: readonly string[] = []): Promise<number> {
      const counted = db
        .selectFrom("exchanges")
        .select((eb) => eb.fn.countAll<number>().as("total"))
        .where(conditions(trainable))
        .where("finish_reason", "in", endedByItself);
      if (date === null) return (await counted.executeTakeFirstOrThrow()).total;
      const fresh = await counted.where("completed_at", ">", date).executeTakeFirstOrThrow();
      const reopened = await counted
        .where("completed_at", "<=", date)
        .where("id", "in", db.selectFrom("annotations").select("exchange_id").where("created_at", ">", date))
        .where(sql<boolean>`${lastJudgement} > ${lastUse(usedBy)}`)
        .executeTakeFirstOrThrow();
      return fresh.total + reopened.total;
    },
  };
}

/**
 * When the exchange was last given to one of these runs; null: to none. Steps tell what a run really used, where they are
 * known.
 */
function lastUse(runIds: readonly string[]) {
  if (runIds.length === 0) return sql<string | null>`null`;
  return sql<string | null>`(
    select max(u.taken_at) from run_exchanges u
    where u.exchange_id = exchanges.id and u.run_id in (${sql.join(runIds)}) and (
      not exists (select 1 from step_exchanges s where s.run_id = u.run_id)
      or exists (select 1 from step_exchanges s where s.run_id = u.run_id and s.exchange_id = u.exchange_id)))`;
}

/** When the exchange was last judged; null: never. */
const lastJudgement = sql<string | null>`(
  select max(a.created_at) from annotations a where a.exchange_id = exchanges.id)`;

export type ExchangeQueries = ReturnType<typeof createExchangeQueries>;
