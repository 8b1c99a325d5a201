import type { Migration } from "kysely/migration";

/** What the gate said about each adapter. */
export const verdicts: Migration = {
  async up(db) {
    await db.schema.alterTable("adapters").addColumn("verdict", "text").execute();
  },
};
