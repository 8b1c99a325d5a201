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
      const rows = await db
        .selectFrom("exchanges")
        .leftJoin(usesBy(db, usedBy).as("used"), "used.exchange_id", "exchanges.id")
        .leftJoin(judgements(db).as("judged"), "judged.exchange_id", "exchanges.id")
        .select(["exchanges.seq", "exchanges.id", "adapter_version", "reward_version"])
        .select(sql<number>`used.at is null or coalesce(judged.at > used.at, 0)`.as("fresh"))
        .where(conditions(trainable))
        .where("finish_reason", "in", ["stop", "length"])
        .orderBy("fresh", "desc")
        .orderBy(sql`max(coalesce(exchanges.completed_at, ''), coalesce(judged.at, ''))`, "desc")
        .orderBy("exchanges.seq", "desc")
        .execute();
      return rows.map(({ seq, id, adapter_version, reward_version, fresh }) => {
        return { seq, id, adapterVersion: adapter_version, rewardVersion: reward_version, fresh: fresh === 1 };
      });
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
      let query = db
        .selectFrom("exchanges")
        .leftJoin(usesBy(db, usedBy).as("used"), "used.exchange_id", "exchanges.id")
        .leftJoin(judgements(db).as("judged"), "judged.exchange_id", "exchanges.id")
        .select((eb) => eb.fn.countAll<number>().as("total"))
        .where(conditions(trainable))
        .where("finish_reason", "in", ["stop", "length"]);
      if (date !== null) {
        const reopened = sql<boolean>`(judged.at > ${date} and judged.at > used.at)`;
        query = query.where((eb) => eb.or([eb("completed_at", ">", date), reopened]));
      }
      return (await query.executeTakeFirstOrThrow()).total;
    },
  };
}

/** When each exchange was last given to one of these runs. Steps tell what a run really used, where they are known. */
function usesBy(db: Kysely<Database>, runIds: readonly string[]) {
  const stepsOfRun = sql`select 1 from step_exchanges s where s.run_id = run_exchanges.run_id`;
  return db
    .selectFrom("run_exchanges")
    .select("exchange_id")
    .select((eb) => eb.fn.max("taken_at").as("at"))
    .where("run_id", "in", runIds.length === 0 ? [""] : runIds)
    .where(
      sql<boolean>`(not exists (${stepsOfRun}) or exists (${stepsOfRun} and s.exchange_id = run_exchanges.exchange_id))`,
    )
    .groupBy("exchange_id");
}

/** When each exchange was last judged. */
function judgements(db: Kysely<Database>) {
  return db
    .selectFrom("annotations")
    .select("exchange_id")
    .select((eb) => eb.fn.max("created_at").as("at"))
    .groupBy("exchange_id");
}

export type ExchangeQueries = ReturnType<typeof createExchangeQueries>;
