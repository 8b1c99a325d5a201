import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

async function createUses(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("run_exchanges")
    .addColumn("run_id", "text", (column) => column.notNull().references("training_runs.id"))
    .addColumn("exchange_id", "text", (column) => column.notNull().references("exchanges.id"))
    .addColumn("taken_at", "text", (column) => column.notNull())
    .addColumn("reward", "real", (column) => column.notNull())
    .addPrimaryKeyConstraint("run_exchanges_once", ["run_id", "exchange_id"])
    .execute();
  await db.schema.createIndex("run_exchanges_by_exchange").on("run_exchanges").column("exchange_id").execute();
  await db.schema
    .createTable("step_exchanges")
    .addColumn("run_id", "text", (column) => column.notNull().references("training_runs.id"))
    .addColumn("step", "integer", (column) => column.notNull())
    .addColumn("exchange_id", "text", (column) => column.notNull().references("exchanges.id"))
    .addPrimaryKeyConstraint("step_exchanges_once", ["run_id", "step", "exchange_id"])
    .execute();
  await db.schema.createIndex("step_exchanges_by_exchange").on("step_exchanges").column("exchange_id").execute();
}

async function createErasures(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("adapters").addColumn("erased_at", "text").execute();
  await db.schema
    .alterTable("adapters")
    .addColumn("erased_exchanges", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createTable("erasures")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("conversations", "integer", (column) => column.notNull())
    .addColumn("exchanges", "integer", (column) => column.notNull())
    .addColumn("annotations", "integer", (column) => column.notNull())
    .addColumn("runs", "text", (column) => column.notNull())
    .addColumn("adapters", "text", (column) => column.notNull())
    .execute();
  for (const change of ["update", "delete"]) {
    await sql`
      create trigger ${sql.raw(`erasures_refuse_${change}`)} before ${sql.raw(change)} on erasures
      begin select raise(abort, 'the log of erasures is append-only'); end`.execute(db);
  }
  await db.schema
    .createTable("erasure_tasks")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("exchange_ids", "text", (column) => column.notNull())
    .addColumn("uses", "text", (column) => column.notNull())
    .addColumn("marked", "text", (column) => column.notNull())
    .addColumn("probes", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .execute();
}

/** Which exchanges a run and each of its steps used, and what was erased since. */
export const lineage: Migration = {
  async up(db) {
    await createUses(db);
    await createErasures(db);
  },
};
