import { sql } from "kysely";
import { z } from "zod";
import type { ExchangeSummary, Page } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import { toSummary } from "../store/exchange-mapping.ts";
import type { Store } from "../store/index.ts";

/** Rank of an exchange in one annotator's queue; every part counts downwards. */
const rankSchema = z.tuple([z.number(), z.number(), z.number(), z.number()]);
type Rank = z.infer<typeof rankSchema>;

function encodeCursor(rank: Rank): string {
  return Buffer.from(JSON.stringify(rank)).toString("base64url");
}

function decodeCursor(cursor: string): Rank {
  try {
    return rankSchema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
  } catch (cause) {
    throw new RequestError(400, "invalid_cursor", "Expected the nextCursor of a page of this queue.", { cause });
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

export interface QueueQuery {
  annotator: string;
  limit: number;
  /** `nextCursor` of the page before, null for the first. */
  cursor: string | null;
  /** Also what this annotator has judged, after the rest: to look again. */
  withJudged: boolean;
}

/**
 * Complete replies for one annotator to judge; the page's total is how many there are. Each carries this annotator's own
 * judgement only, so that nobody is led by what others said.
 * @throws RequestError for a cursor that no page has given out
 */
export async function annotationQueue(store: Store, query: QueueQuery): Promise<Page<ExchangeSummary>> {
  const { annotator, limit, cursor, withJudged } = query;
  const after = cursor === null ? null : decodeCursor(cursor);
  const { unlabelled, flagged, toxicity } = rankColumns(annotator);
  let offered = store.db.selectFrom("exchanges").where("status", "=", "complete").where("reply", "!=", "");
  if (!withJudged) offered = offered.where(sql<boolean>`${unlabelled}`);
  let ranked = offered
    .select(["id", "seq", unlabelled.as("unlabelled"), flagged.as("flagged"), toxicity.as("toxicity")])
    .orderBy("unlabelled", "desc")
    .orderBy("flagged", "desc")
    .orderBy("toxicity", "desc")
    .orderBy("seq", "desc")
    .limit(limit + 1);
  if (after !== null) {
    ranked = ranked.where(sql<boolean>`(${unlabelled}, ${flagged}, ${toxicity}, seq) < (${sql.join(after)})`);
  }
  const rows = await ranked.execute();
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const exchanges = await store.exchanges.getMany(page.map((row) => row.id));
  const { total } = await offered.select((eb) => eb.fn.countAll<number>().as("total")).executeTakeFirstOrThrow();
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
