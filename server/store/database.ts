import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, Migrator, SqliteDialect } from "kysely";
import { firstTables } from "./migrations/0001-first-tables.ts";
import { judgementsAndRewards } from "./migrations/0002-judgements-and-rewards.ts";
import { lineage } from "./migrations/0003-lineage.ts";
import { verdicts } from "./migrations/0004-verdicts.ts";
import { rollout } from "./migrations/0005-rollout.ts";
import { schedules } from "./migrations/0006-schedules.ts";
import { openSqlite } from "./node-sqlite.ts";
import type { Database } from "./schema.ts";

/** In order of their names; a migration that has shipped is never edited, the next one corrects it. */
const migrations = {
  "0001-first-tables": firstTables,
  "0002-judgements-and-rewards": judgementsAndRewards,
  "0003-lineage": lineage,
  "0004-verdicts": verdicts,
  "0005-rollout": rollout,
  "0006-schedules": schedules,
};

/**
 * Opens the SQLite file (made when absent, with its folder) and brings its tables up to date.
 * @throws when a migration fails; the message names it and the file.
 */
export async function openDatabase(file: string): Promise<Kysely<Database>> {
  if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true });
  const db = new Kysely<Database>({
    dialect: new SqliteDialect({ database: openSqlite(file) }),
  });
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    await db.destroy();
    const failed = results?.find((result) => result.status === "Error")?.migrationName ?? "the check of applied ones";
    throw new Error(`Cannot bring the database ${file} up to date: ${failed} failed`, { cause: error });
  }
  return db;
}
