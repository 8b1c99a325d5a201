import type { Kysely } from "kysely";
import type { Database } from "../store/schema.ts";
import type { QueueBackend } from "./queue-backend.ts";

type Schedules = Pick<QueueBackend, "putSchedule" | "removeSchedule" | "schedules" | "advanceSchedule">;

export function createSqliteSchedules(db: Kysely<Database>): Schedules {
  return {
    async putSchedule({ key, kind, cron, payload, nextAt }) {
      const columns = { kind, cron, payload: JSON.stringify(payload), next_at: nextAt?.toISOString() ?? null };
      await db
        .insertInto("job_schedules")
        .values({ key, ...columns })
        .onConflict((conflict) => conflict.column("key").doUpdateSet(columns))
        .execute();
    },

    async removeSchedule(key) {
      const { numDeletedRows } = await db.deleteFrom("job_schedules").where("key", "=", key).executeTakeFirst();
      return numDeletedRows > 0n;
    },

    async schedules() {
      const rows = await db.selectFrom("job_schedules").selectAll().orderBy("key").execute();
      return rows.map(({ next_at: nextAt, payload, ...row }) => ({
        ...row,
        payload: JSON.parse(payload),
        nextAt: nextAt === null ? null : new Date(nextAt),
      }));
    },

    async advanceSchedule({ key, nextAt: before }, nextAt) {
      await db
        .updateTable("job_schedules")
        .set({ next_at: nextAt?.toISOString() ?? null })
        .where("key", "=", key)
        .where("next_at", "=", before?.toISOString() ?? null)
        .execute();
    },
  };
}
