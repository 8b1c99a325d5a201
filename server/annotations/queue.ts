import { type Kysely, sql } from "kysely";
import { z } from "zod";
import type { ExchangeSummary, Page } from "../protocol/index.ts";
import { toSummary } from "../store/exchange-mapping.ts";
import type { Store } from "../store/index.ts";
import type { Database } from "../store/schema.ts";

/** Rank of an exchange in one annotator's queue; every part counts downwards. */
const rankSchema = z.tuple([z.number(), z.number(), z.number(), z.number()]);
type Rank = z.infer<typeof rankSchema>;

/** Thrown for a cursor that no page of ours has given out. */
export class InvalidCursorError extends Error {
  readonly code = "invalid_cursor";
}

function encodeCursor(rank: Rank): string {
  return Buffer.from(JSON.stringify(rank)).toString("base64url");
}

function decodeCursor(cursor: string): Rank {
  try {
    return rankSchema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
  } catch (cause) {
    throw new InvalidCursorError("Expected the nextCursor of a page of this queue", { cause });
  }
}

/** Parts of the rank in SQL: not yet labelled by this annotator, thumbed down, toxicity of the reply, newest. */
function rankColumns(annotator: string) {
  return {
    unlabelled: sql<number>`not exists (
      select 1 from annotations own where own.exchange_id = exchanges.id and own.annotator = ${annotator})`,
    flagged: sql<number>`exchanges.feedback = -1`,
    toxicity: sql<number>`coalesce(exchanges.reply_toxicity, -1)`,
  };
}

/**
 * Complete replies for one annotator to judge. Each carries this annotator's own judgement only, so that nobody is led
 * by what others said.
 * @param cursor `nextCursor` of the page before, null for the first
 * @throws InvalidCursorError
 */
export async function annotationQueue(
  store: Store,
  annotator: string,
  limit: number,
  cursor: string | null,
): Promise<Page<ExchangeSummary>> {
  const after = cursor === null ? null : decodeCursor(cursor);
  const { unlabelled, flagged, toxicity } = rankColumns(annotator);
  let query = judgeable(store.db)
    .select(["id", "seq", unlabelled.as("unlabelled"), flagged.as("flagged"), toxicity.as("toxicity")])
    .orderBy("unlabelled", "desc")
    .orderBy("flagged", "desc")
    .orderBy("toxicity", "desc")
    .orderBy("seq", "desc")
    .limit(limit + 1);
  if (after !== null) {
    query = query.where(sql<boolean>`(${unlabelled}, ${flagged}, ${toxicity}, seq) < (${sql.join(after)})`);
  }
  const rows = await query.execute();
  const page = rows.slice(0, limit);
  const exchanges = await store.exchanges.getMany(page.map((row) => row.id));
  const last = page.at(-1);
  const { total } = await judgeable(store.db)
    .select((eb) => eb.fn.countAll<number>().as("total"))
    .executeTakeFirstOrThrow();
  return {
    items: exchanges.map((exchange) => {
      const own = exchange.annotations.filter((annotation) => annotation.annotator === annotator);
      return toSummary({ ...exchange, annotations: own });
    }),
    nextCursor:
      rows.length > limit && last !== undefined
        ? encodeCursor([last.unlabelled, last.flagged, last.toxicity, last.seq])
        : null,
    total,
  };
}

function judgeable(db: Kysely<Database>) {
  return db.selectFrom("exchanges").where("status", "=", "complete").where("reply", "!=", "");
}
