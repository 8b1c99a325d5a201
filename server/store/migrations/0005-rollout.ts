import { sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Candidates in shadow and canary, and what the watcher asks of the log. */
export const rollout: Migration = {
  async up(db) {
    await db.schema.alterTable("deployments").addColumn("share", "real").execute();
    await db.schema.alterTable("exchanges").addColumn("failed_step", "text").execute();
    await db.schema
      .createTable("shadow_replies")
      .addColumn("exchange_id", "text", (column) => column.notNull().references("exchanges.id").onDelete("cascade"))
      .addColumn("adapter_version", "integer", (column) => column.notNull())
      .addColumn("reply", "text", (column) => column.notNull())
      .addColumn("reply_tokens", "text", (column) => column.notNull())
      .addColumn("log_probs", "text", (column) => column.notNull())
      .addColumn("finish_reason", "text", (column) => column.notNull())
      .addColumn("toxicity", "real", (column) => column.notNull())
      .addColumn("reward_version", "text", (column) => column.notNull())
      .addColumn("reward", "real", (column) => column.notNull())
      .addColumn("at", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("shadow_replies_once_per_adapter", ["exchange_id", "adapter_version"])
      .execute();
    await db.schema
      .createIndex("shadow_replies_by_adapter")
      .on("shadow_replies")
      .columns(["adapter_version", "at"])
      .execute();
    await db.schema
      .createIndex("exchanges_by_adapter")
      .on("exchanges")
      .columns(["adapter_version", "created_at"])
      .execute();
    await sql`create index exchanges_disliked on exchanges (adapter_version, created_at) where feedback = -1`.execute(
      db,
    );
    await sql`create index annotations_toxic on annotations (exchange_id) where label = 'toxic'`.execute(db);
  },
};
