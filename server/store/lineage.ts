import { type Kysely, sql } from "kysely";
import type { Database } from "./schema.ts";

/** SQLite binds some 32,000 values a statement at most; far fewer make statements that do not hold up the chats. */
export const rowsPerStatement = 500;

export function slicesOf<T>(items: readonly T[], size = rowsPerStatement): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => {
    return items.slice(index * size, (index + 1) * size);
  });
}

export interface RunStep {
  step: number;
  exchanges: readonly string[];
}

/** A run's use of an exchange. */
export interface StoredUse {
  runId: string;
  exchangeId: string;
  takenAt: string;
  reward: number;
}

/** Which exchanges went into which run and step. */
export function createLineageRepository(db: Kysely<Database>) {
  return {
    /**
     * Notes what stands in a run's snapshot, in place of what an earlier start of the run had noted.
     * @returns false when one of the exchanges is gone or has lost its consent meanwhile; nothing is noted then
     */
    async take(runId: string, exchanges: readonly { id: string; reward: number }[], at: string): Promise<boolean> {
      return db.transaction().execute(async (transaction) => {
        const allowed = new Set<string>();
        for (const slice of slicesOf(exchanges.map(({ id }) => id))) {
          const query = transaction.selectFrom("exchanges").select("id").where("consent", "=", 1);
          for (const { id } of await query.where("id", "in", slice).execute()) allowed.add(id);
        }
        if (!exchanges.every(({ id }) => allowed.has(id))) return false;
        await transaction.deleteFrom("run_exchanges").where("run_id", "=", runId).execute();
        for (const slice of slicesOf(exchanges)) {
          const rows = slice.map(({ id, reward }) => ({ run_id: runId, exchange_id: id, taken_at: at, reward }));
          await transaction.insertInto("run_exchanges").values(rows).execute();
        }
        return true;
      });
    },

    /** Notes the steps of a run; the same ones again change nothing, exchanges that are gone are left out. */
    async recordSteps(runId: string, steps: readonly RunStep[]): Promise<void> {
      const uses = steps.flatMap(({ step, exchanges }) => exchanges.map((id) => ({ step, id })));
      for (const slice of slicesOf(uses)) {
        const known = await db
          .selectFrom("exchanges")
          .select("id")
          .where("id", "in", [...new Set(slice.map(({ id }) => id))])
          .execute();
        const ids = new Set(known.map(({ id }) => id));
        const rows = slice
          .filter(({ id }) => ids.has(id))
          .map(({ step, id }) => ({ run_id: runId, step, exchange_id: id }));
        if (rows.length === 0) continue;
        await db
          .insertInto("step_exchanges")
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },

    /** The runs that had an exchange in their snapshot, oldest first. */
    async usesOf(exchangeId: string): Promise<StoredUse[]> {
      const query = db.selectFrom("run_exchanges").selectAll().where("exchange_id", "=", exchangeId);
      return (await query.orderBy("taken_at").execute()).map((row) => ({
        runId: row.run_id,
        exchangeId: row.exchange_id,
        takenAt: row.taken_at,
        reward: row.reward,
      }));
    },

    /** Steps of a run that used an exchange, in order. */
    async stepsOf(runId: string, exchangeId: string): Promise<number[]> {
      const query = db.selectFrom("step_exchanges").select("step").where("run_id", "=", runId);
      return (await query.where("exchange_id", "=", exchangeId).orderBy("step").execute()).map(({ step }) => step);
    },

    /** Whether the run's steps are known; an early or foreign trainer wrote none down. */
    async hasSteps(runId: string): Promise<boolean> {
      const query = db.selectFrom("step_exchanges").select("step").where("run_id", "=", runId).limit(1);
      return (await query.executeTakeFirst()) !== undefined;
    },

    /** What a run was given, most used first. */
    async exchangesOf(runId: string, limit: number) {
      return db
        .selectFrom("run_exchanges")
        .innerJoin("exchanges", "exchanges.id", "run_exchanges.exchange_id")
        .select(["run_exchanges.exchange_id as id", "run_exchanges.reward", "exchanges.consent"])
        .select((eb) =>
          eb
            .selectFrom("step_exchanges")
            .select((count) => count.fn.countAll<number>().as("steps"))
            .whereRef("step_exchanges.run_id", "=", "run_exchanges.run_id")
            .whereRef("step_exchanges.exchange_id", "=", "run_exchanges.exchange_id")
            .as("steps"),
        )
        .where("run_exchanges.run_id", "=", runId)
        .orderBy("steps", "desc")
        .orderBy("exchanges.seq")
        .limit(limit)
        .execute();
    },

    /** How many exchanges a run was given, and how many of them have lost their consent since. */
    async countOf(runId: string): Promise<{ exchanges: number; withdrawn: number }> {
      const row = await db
        .selectFrom("run_exchanges")
        .innerJoin("exchanges", "exchanges.id", "run_exchanges.exchange_id")
        .select((eb) => eb.fn.countAll<number>().as("exchanges"))
        .select(sql<number>`coalesce(sum(exchanges.consent = 0), 0)`.as("withdrawn"))
        .where("run_exchanges.run_id", "=", runId)
        .executeTakeFirstOrThrow();
      return row;
    },

    /** Exchanges that any of these runs was given. */
    async exchangeIdsOf(runIds: readonly string[]): Promise<string[]> {
      if (runIds.length === 0) return [];
      const query = db.selectFrom("run_exchanges").select("exchange_id").distinct().where("run_id", "in", runIds);
      return (await query.execute()).map((row) => row.exchange_id);
    },
  };
}

export type LineageRepository = ReturnType<typeof createLineageRepository>;
