import { type ExpressionBuilder, type Kysely, sql } from "kysely";
import type { Page } from "../protocol/index.ts";
import type { StoredExchange } from "./exchange-mapping.ts";
import type { ExchangeRepository } from "./exchanges.ts";
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

function conditions(filter: ExchangeFilter) {
  return (eb: ExpressionBuilder<Database, "exchanges">) => {
    const all = [];
    if (filter.conversationId !== undefined) all.push(eb("conversation_id", "=", filter.conversationId));
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

    /** Newest `limit` exchanges that may train (complete, with consent), oldest first. */
    async trainable(limit: number): Promise<StoredExchange[]> {
      const rows = await db
        .selectFrom("exchanges")
        .selectAll()
        .where(conditions(trainable))
        .where("finish_reason", "in", ["stop", "length"])
        .orderBy("seq", "desc")
        .limit(limit)
        .execute();
      return exchanges.withAnnotations(rows.reverse());
    },

    /** How many exchanges that may train were completed after this ISO date (all when null). */
    async countTrainableSince(date: string | null): Promise<number> {
      let query = db
        .selectFrom("exchanges")
        .select((eb) => eb.fn.countAll<number>().as("total"))
        .where(conditions(trainable))
        .where("finish_reason", "in", ["stop", "length"]);
      if (date !== null) query = query.where("completed_at", ">", date);
      return (await query.executeTakeFirstOrThrow()).total;
    },
  };
}

export type ExchangeQueries = ReturnType<typeof createExchangeQueries>;
