import type { Kysely } from "kysely";
import type { Annotation, AnnotationRequest } from "../protocol/index.ts";
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
}): Annotation {
  const { id, annotator, label, severity, note, rewrite } = row;
  return {
    id,
    exchangeId: row.exchange_id,
    annotator,
    label,
    severity,
    note,
    rewrite,
    createdAt: row.created_at,
  };
}

/** Judgements of logged replies: one a person and exchange, the latest counts. */
export function createAnnotationRepository(db: Kysely<Database>) {
  return {
    /** Writes or replaces this annotator's judgement. The exchange must exist. */
    async put(exchangeId: string, annotator: string, request: AnnotationRequest, at: Date): Promise<Annotation> {
      const judgement = {
        label: request.label,
        severity: request.severity ?? null,
        note: request.note ?? null,
        rewrite: request.rewrite ?? null,
        created_at: at.toISOString(),
      };
      const row = await db
        .insertInto("annotations")
        .values({ exchange_id: exchangeId, annotator, ...judgement })
        .onConflict((conflict) => conflict.columns(["exchange_id", "annotator"]).doUpdateSet(judgement))
        .returningAll()
        .executeTakeFirstOrThrow();
      return toAnnotation(row);
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
