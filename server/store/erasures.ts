import { type Kysely, sql, type Transaction } from "kysely";
import { ancestorsOf } from "../lineage/ancestry.ts";
import { slicesOf } from "./lineage.ts";
import type { Database } from "./schema.ts";

/** What an erasure has still to do in files. */
export interface ErasureTask {
  id: number;
  exchangeIds: string[];
  /** Exchanges that each run was given, by its id. */
  uses: Record<string, number>;
  /** Adapters that have been marked. */
  marked: number[];
  /** Adapters whose stored sample is one of the exchanges. */
  probes: number[];
}

export interface ErasedRows {
  conversations: number;
  exchanges: number;
  annotations: number;
  task: ErasureTask;
}

type Db = Kysely<Database> | Transaction<Database>;

async function idsOf(db: Db, owner: string): Promise<string[]> {
  const rows = await db.selectFrom("exchanges").select("id").where("owner", "=", owner).orderBy("seq").execute();
  return rows.map(({ id }) => id);
}

/** The runs that were given any of the exchanges, with those of each. */
async function usesOf(db: Db, exchangeIds: readonly string[]): Promise<Map<string, string[]>> {
  const uses = new Map<string, string[]>();
  for (const slice of slicesOf(exchangeIds)) {
    const query = db.selectFrom("run_exchanges").select(["run_id", "exchange_id"]).where("exchange_id", "in", slice);
    for (const row of await query.execute()) {
      uses.set(row.run_id, [...(uses.get(row.run_id) ?? []), row.exchange_id]);
    }
  }
  return uses;
}

async function lineOf(db: Db) {
  const rows = await db
    .selectFrom("adapters")
    .select(["version", "parent_version as parent", "run_id as runId"])
    .execute();
  return rows.map((row) => ({ ...row, line: [row, ...ancestorsOf(rows, row.version)] }));
}

async function mark(db: Db, version: number, exchanges: number, at: string): Promise<void> {
  await db
    .updateTable("adapters")
    .set((eb) => ({ erased_at: at, erased_exchanges: eb("erased_exchanges", "+", exchanges) }))
    .where("version", "=", version)
    .execute();
}

/** Removes the rows of every table that speaks of an exchange, and the exchanges. @returns how many annotations went */
async function removeExchanges(db: Transaction<Database>, exchangeIds: readonly string[]): Promise<number> {
  const tables = await db.introspection.getTables();
  const speaking = tables.filter(({ columns }) => columns.some(({ name }) => name === "exchange_id"));
  let annotations = 0;
  for (const slice of slicesOf(exchangeIds)) {
    for (const { name } of speaking) {
      const removed = await sql`delete from ${sql.table(name)} where exchange_id in (${sql.join(slice)})`.execute(db);
      if (name === "annotations") annotations += Number(removed.numAffectedRows ?? 0n);
    }
    await db.deleteFrom("exchanges").where("id", "in", slice).execute();
  }
  return annotations;
}

/** The part of an erasure that the database sees: all of it, or nothing. */
export function createErasureRepository(db: Kysely<Database>) {
  return {
    exchangeIdsOf: (owner: string) => idsOf(db, owner),
    usesOf: (exchangeIds: readonly string[]) => usesOf(db, exchangeIds),

    /**
     * Removes what an owner said and was answered, with everything said about it; marks the adapters that learned from
     * it, adds a line without names to the log of erasures, and leaves a task for what lies in files.
     * @param probes adapters whose stored sample is one of the exchanges
     */
    async erase(owner: string, probes: readonly number[], at: string): Promise<ErasedRows> {
      const erased = await db.transaction().execute(async (transaction) => {
        const exchangeIds = await idsOf(transaction, owner);
        const uses = await usesOf(transaction, exchangeIds);
        const marked: number[] = [];
        for (const { version, line } of await lineOf(transaction)) {
          const learned = new Set(line.flatMap(({ runId }) => (runId === null ? [] : (uses.get(runId) ?? []))));
          if (learned.size === 0) continue;
          await mark(transaction, version, learned.size, at);
          marked.push(version);
        }
        const annotations = await removeExchanges(transaction, exchangeIds);
        const { numDeletedRows } = await transaction
          .deleteFrom("conversations")
          .where("owner", "=", owner)
          .executeTakeFirst();
        const conversations = Number(numDeletedRows);
        const counts = { conversations, exchanges: exchangeIds.length, annotations };
        await transaction
          .insertInto("erasures")
          .values({ at, ...counts, runs: JSON.stringify([...uses.keys()]), adapters: JSON.stringify(marked) })
          .execute();
        const task = {
          exchangeIds,
          uses: Object.fromEntries([...uses].map(([run, ids]) => [run, ids.length])),
          marked,
          probes: [...probes],
        };
        const { id } = await transaction
          .insertInto("erasure_tasks")
          .values({
            exchange_ids: JSON.stringify(task.exchangeIds),
            uses: JSON.stringify(task.uses),
            marked: JSON.stringify(task.marked),
            probes: JSON.stringify(task.probes),
            created_at: at,
          })
          .returning("id")
          .executeTakeFirstOrThrow();
        return { ...counts, task: { id, ...task } };
      });
      // Deleted pages are overwritten (secure_delete); their earlier content goes from the write-ahead log too.
      await sql`pragma wal_checkpoint(truncate)`.execute(db);
      return erased;
    },

    /** Oldest first. */
    async tasks(): Promise<ErasureTask[]> {
      const rows = await db.selectFrom("erasure_tasks").selectAll().orderBy("id").execute();
      return rows.map((row) => ({
        id: row.id,
        exchangeIds: JSON.parse(row.exchange_ids),
        uses: JSON.parse(row.uses),
        marked: JSON.parse(row.marked),
        probes: JSON.parse(row.probes),
      }));
    },

    /**
     * Marks the adapters of the task's runs that were registered after the rows were gone: a run under way may come to
     * its end before it can be stopped. @returns every adapter that is marked for the task
     */
    async markLate(task: ErasureTask, at: string): Promise<number[]> {
      return db.transaction().execute(async (transaction) => {
        const marked = [...task.marked];
        for (const { version, runId } of await lineOf(transaction)) {
          const learned = runId === null ? undefined : task.uses[runId];
          if (learned === undefined || marked.includes(version)) continue;
          await mark(transaction, version, learned, at);
          marked.push(version);
        }
        const query = transaction.updateTable("erasure_tasks").set({ marked: JSON.stringify(marked) });
        await query.where("id", "=", task.id).execute();
        return marked;
      });
    },

    async done(taskId: number): Promise<void> {
      await db.deleteFrom("erasure_tasks").where("id", "=", taskId).execute();
      await sql`pragma wal_checkpoint(truncate)`.execute(db);
    },
  };
}

export type ErasureRepository = ReturnType<typeof createErasureRepository>;
