import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

async function createConversations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("conversations")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .execute();
}

async function createExchanges(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("exchanges")
    .addColumn("seq", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("conversation_id", "text", (column) => column.notNull().references("conversations.id"))
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("client_message_id", "text", (column) => column.notNull())
    .addColumn("source", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("completed_at", "text")
    .addColumn("status", "text", (column) => column.notNull().check(sql`status in ('streaming', 'complete', 'cut')`))
    .addColumn("messages", "text", (column) => column.notNull())
    .addColumn("reply", "text", (column) => column.notNull())
    .addColumn("prompt_tokens", "text", (column) => column.notNull())
    .addColumn("reply_tokens", "text", (column) => column.notNull())
    .addColumn("log_probs", "text", (column) => column.notNull())
    .addColumn("sampling", "text", (column) => column.notNull())
    .addColumn("max_tokens", "integer", (column) => column.notNull())
    .addColumn("finish_reason", "text")
    .addColumn("adapter_name", "text", (column) => column.notNull())
    .addColumn("adapter_version", "integer", (column) => column.notNull())
    .addColumn("adapter_sha256", "text", (column) => column.notNull())
    .addColumn("prompt_toxicity", "real")
    .addColumn("reply_toxicity", "real")
    .addColumn("toxicity_attributes", "text")
    .addColumn("reward_version", "text")
    .addColumn("reward_total", "real")
    .addColumn("reward_terms", "text")
    .addColumn("consent", "integer", (column) => column.notNull())
    .addColumn("feedback", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("feedback_reason", "text")
    .addUniqueConstraint("exchanges_once_per_client_message", ["owner", "client_message_id"])
    .execute();
  await db.schema
    .createIndex("exchanges_by_conversation")
    .on("exchanges")
    .columns(["conversation_id", "seq"])
    .execute();
  await db.schema.createIndex("exchanges_by_status").on("exchanges").columns(["status", "consent"]).execute();
}

async function createAnnotations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("annotations")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("exchange_id", "text", (column) => column.notNull().references("exchanges.id"))
    .addColumn("annotator", "text", (column) => column.notNull())
    .addColumn("label", "text", (column) => column.notNull())
    .addColumn("severity", "integer")
    .addColumn("note", "text")
    .addColumn("rewrite", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addUniqueConstraint("annotations_once_per_annotator", ["exchange_id", "annotator"])
    .execute();
}

async function createAdapters(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("adapters")
    .addColumn("version", "integer", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("parent_version", "integer")
    .addColumn("run_id", "text")
    .addColumn("folder", "text", (column) => column.notNull())
    .addColumn("rank", "integer", (column) => column.notNull())
    .addColumn("alpha", "real", (column) => column.notNull())
    .addColumn("target_modules", "text", (column) => column.notNull())
    .addColumn("metrics", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("deployments")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("actor", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("from_adapter", "text")
    .addColumn("to_adapter", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .execute();
  for (const change of ["update", "delete"]) {
    await sql`
      create trigger ${sql.raw(`deployments_refuse_${change}`)} before ${sql.raw(change)} on deployments
      begin select raise(abort, 'the deployment log is append-only'); end`.execute(db);
  }
}

async function createTraining(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("training_runs")
    .addColumn("seq", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("algorithm", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("trigger", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("started_at", "text")
    .addColumn("finished_at", "text")
    .addColumn("parent", "text")
    .addColumn("result", "text")
    .addColumn("version", "integer")
    .addColumn("exchanges", "integer", (column) => column.notNull())
    .addColumn("step", "integer", (column) => column.notNull())
    .addColumn("steps", "integer", (column) => column.notNull())
    .addColumn("settings", "text", (column) => column.notNull())
    .addColumn("metrics", "text", (column) => column.notNull())
    .addColumn("error", "text")
    .execute();
  await db.schema
    .createTable("run_metrics")
    .addColumn("run_id", "text", (column) => column.notNull().references("training_runs.id"))
    .addColumn("step", "integer", (column) => column.notNull())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("metric_values", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("run_metrics_by_step", ["run_id", "step"])
    .execute();
  await db.schema
    .createTable("jobs")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("payload", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("max_attempts", "integer", (column) => column.notNull())
    .addColumn("run_at", "text", (column) => column.notNull())
    .addColumn("locked_by", "text")
    .addColumn("locked_until", "text")
    .addColumn("last_error", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("jobs_by_turn").on("jobs").columns(["kind", "state", "run_at"]).execute();
}

export const firstTables: Migration = {
  async up(db) {
    await createConversations(db);
    await createExchanges(db);
    await createAnnotations(db);
    await createAdapters(db);
    await createTraining(db);
  },
};
