import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import { GenericSqliteWorkerDialect } from "kysely-generic-sqlite/worker";
import { createNodeWorkerExecutor } from "kysely-generic-sqlite/worker-helper-node";
import { firstTables } from "./migrations/0001-first-tables.ts";
import { judgementsAndRewards } from "./migrations/0002-judgements-and-rewards.ts";
import { lineage } from "./migrations/0003-lineage.ts";
import { verdicts } from "./migrations/0004-verdicts.ts";
import { rollout } from "./migrations/0005-rollout.ts";
import { schedules } from "./migrations/0006-schedules.ts";
import type { Database } from "./schema.ts";
import type { SqliteWorkerData } from "./sqlite-worker.ts";

/** In order of their names; a migration that has shipped is never edited, the next one corrects it. */
const migrations = {
  "0001-first-tables": firstTables,
  "0002-judgements-and-rewards": judgementsAndRewards,
  "0003-lineage": lineage,
  "0004-verdicts": verdicts,
  "0005-rollout": rollout,
  "0006-schedules": schedules,
};

export interface OpenDatabase {
  db: Kysely<Database>;
  close(): Promise<void>;
}

/**
 * Opens the SQLite file (made when absent, with its folder) and brings its tables up to date.
 * @param onFailure called once should the database's thread end before it is closed
 * @throws when a migration fails; the message names it and the file.
 */
export async function openDatabase(file: string, onFailure: (cause: Error) => void = () => {}): Promise<OpenDatabase> {
  if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true });
  let isClosing = false;
  // Made when the first query comes; it lives until the database is closed.
  const worker = () => {
    const thread = new Worker(new URL("./sqlite-worker.ts", import.meta.url), { execArgv: [] });
    return thread.once("exit", (code) => {
      if (!isClosing) onFailure(new Error(`the database's thread ended with code ${code}`));
    });
  };
  const data: SqliteWorkerData = { file };
  const db = new Kysely<Database>({
    dialect: new GenericSqliteWorkerDialect(createNodeWorkerExecutor({ worker, data })),
  });
  const close = () => {
    isClosing = true;
    return db.destroy();
  };
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    await close();
    const failed = results?.find((result) => result.status === "Error")?.migrationName ?? "the check of applied ones";
    throw new Error(`Cannot bring the database ${file} up to date: ${failed} failed`, { cause: error });
  }
  return { db, close };
}
