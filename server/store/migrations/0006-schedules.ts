import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Which store this is, for services that several installations share. */
async function nameInstallation(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("installation")
    .addColumn("id", "text", (column) => column.primaryKey())
    .execute();
  const named = db as Kysely<{ installation: { id: string } }>;
  await named.insertInto("installation").values({ id: randomUUID() }).execute();
}

export const schedules: Migration = {
  async up(db) {
    await db.schema.alterTable("jobs").addColumn("progress", "text").execute();
    await db.schema
      .createTable("job_schedules")
      .addColumn("key", "text", (column) => column.primaryKey())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("cron", "text", (column) => column.notNull())
      .addColumn("payload", "text", (column) => column.notNull())
      .addColumn("next_at", "text")
      .execute();
    await nameInstallation(db);
  },
};
