import type { Migration } from "kysely/migration";

/** Reviews of judgements that were set aside, and the scores that a later reward version has replaced. */
export const judgementsAndRewards: Migration = {
  async up(db) {
    await db.schema.alterTable("annotations").addColumn("review", "text").execute();
    await db.schema.createIndex("annotations_by_time").on("annotations").column("created_at").execute();
    await db.schema
      .createTable("exchange_rewards")
      .addColumn("exchange_id", "text", (column) => column.notNull().references("exchanges.id"))
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("total", "real", (column) => column.notNull())
      .addColumn("terms", "text", (column) => column.notNull())
      .addColumn("prompt_toxicity", "real")
      .addColumn("reply_toxicity", "real")
      .addColumn("toxicity_attributes", "text")
      .addColumn("replaced_at", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("exchange_rewards_by_version", ["exchange_id", "version"])
      .execute();
    await db.schema
      .createIndex("exchanges_by_reward_version")
      .on("exchanges")
      .columns(["status", "reward_version"])
      .execute();
  },
};
