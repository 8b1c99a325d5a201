import { type Kysely, sql } from "kysely";
import type { Annotation, AnnotationRequest, JudgementReview } from "../protocol/index.ts";
import type { Database } from "./schema.ts";

function toAnnotation(row: {
  id: number;
  exchange_id: string;
  annotator: string;
  label: Annotation["label"];
  severity: number | null;
  note: string | null;
  rewrite: string | null;
  created_at: string;
  review: Annotation["review"];
}): Annotation {
  const { id, annotator, label, severity, note, rewrite, review } = row;
  return {
    id,
    exchangeId: row.exchange_id,
    annotator,
    label,
    severity,
    note,
    rewrite,
    createdAt: row.created_at,
    review,
  };
}

type Said = { label: string; severity: number | null; rewrite: string | null };

/** The stored row says what is about to be written. */
const isSame = ({ label, severity, rewrite }: Said) =>
  sql<boolean>`(label = ${label} and severity is ${severity} and rewrite is ${rewrite})`;

/** Judgements of logged replies: one a person and exchange, the latest counts. */
export function createAnnotationRepository(db: Kysely<Database>) {
  return {
    /**
     * Writes or replaces this annotator's judgement. The exchange must exist. Saying the same again keeps its date (it is
     * no news to a training run) and its review.
     */
    async put(exchangeId: string, annotator: string, request: AnnotationRequest, at: Date): Promise<Annotation> {
      const said = {
        label: request.label,
        severity: request.severity ?? null,
        rewrite: request.rewrite ?? null,
      };
      const judgement = { ...said, note: request.note ?? null, created_at: at.toISOString(), review: null };
      const row = await db
        .insertInto("annotations")
        .values({ exchange_id: exchangeId, annotator, ...judgement })
        .onConflict((conflict) =>
          conflict.columns(["exchange_id", "annotator"]).doUpdateSet({
            ...judgement,
            created_at: sql`case when ${isSame(said)} then created_at else excluded.created_at end`,
            review: sql`case when ${isSame(said)} then review else null end`,
          }),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      return toAnnotation(row);
    },

    /** What an operator decided about judgements that looked suspicious. @returns how many there were */
    async review(ids: readonly number[], review: JudgementReview): Promise<number> {
      if (ids.length === 0) return 0;
      const query = db.updateTable("annotations").set({ review }).where("id", "in", ids);
      return Number((await query.executeTakeFirst()).numUpdatedRows);
    },

    /** Every judgement, oldest first; of the given exchanges only when they are named. */
    async list(exchangeIds?: readonly string[]): Promise<Annotation[]> {
      if (exchangeIds?.length === 0) return [];
      let query = db.selectFrom("annotations").selectAll().orderBy("id");
      if (exchangeIds !== undefined) query = query.where("exchange_id", "in", exchangeIds);
      return (await query.execute()).map(toAnnotation);
    },
  };
}

export type AnnotationRepository = ReturnType<typeof createAnnotationRepository>;
