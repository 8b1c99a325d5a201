import type { Kysely, Selectable } from "kysely";
import type { AdapterIdentity, AdapterState, AdapterSummary, Deployment, Verdict } from "../protocol/index.ts";
import type { AdapterTable, Database } from "./schema.ts";

export interface StoredAdapter extends AdapterSummary {
  /** Key of the PEFT folder in the artifact store. */
  folder: string;
}

export type NewDeployment = Omit<Deployment, "id">;

export interface AdapterStateChange {
  version: number;
  state: AdapterState;
}

function toStoredAdapter(row: Selectable<AdapterTable>): StoredAdapter {
  return {
    name: row.name,
    version: row.version,
    sha256: row.sha256,
    state: row.state,
    parent: row.parent_version,
    runId: row.run_id,
    createdAt: row.created_at,
    rank: row.rank,
    alpha: row.alpha,
    targetModules: JSON.parse(row.target_modules),
    metrics: JSON.parse(row.metrics),
    erasedData: row.erased_at === null ? null : { at: row.erased_at, exchanges: row.erased_exchanges },
    folder: row.folder,
    verdict: row.verdict === null ? null : JSON.parse(row.verdict),
  };
}

/** Adapters by version number, and the append-only log of what was made live. */
export function createAdapterRepository(db: Kysely<Database>) {
  return {
    /** Versions are immutable: a number that is taken is refused. */
    async insert(adapter: StoredAdapter): Promise<void> {
      await db
        .insertInto("adapters")
        .values({
          version: adapter.version,
          name: adapter.name,
          sha256: adapter.sha256,
          state: adapter.state,
          parent_version: adapter.parent,
          run_id: adapter.runId,
          folder: adapter.folder,
          rank: adapter.rank,
          alpha: adapter.alpha,
          target_modules: JSON.stringify(adapter.targetModules),
          metrics: JSON.stringify(adapter.metrics),
          created_at: adapter.createdAt,
          erased_at: adapter.erasedData?.at ?? null,
          erased_exchanges: adapter.erasedData?.exchanges ?? 0,
          verdict: adapter.verdict === null ? null : JSON.stringify(adapter.verdict),
        })
        .execute();
    },

    async get(version: number): Promise<StoredAdapter | null> {
      const row = await db.selectFrom("adapters").selectAll().where("version", "=", version).executeTakeFirst();
      return row === undefined ? null : toStoredAdapter(row);
    },

    /** Newest first. */
    async list(): Promise<StoredAdapter[]> {
      return (await db.selectFrom("adapters").selectAll().orderBy("version", "desc").execute()).map(toStoredAdapter);
    },

    async setState(version: number, state: AdapterState): Promise<void> {
      await db.updateTable("adapters").set({ state }).where("version", "=", version).execute();
    },

    async setVerdict(version: number, verdict: Verdict): Promise<void> {
      const changed = { verdict: JSON.stringify(verdict) };
      await db.updateTable("adapters").set(changed).where("version", "=", version).execute();
    },

    /** The next free number, counting those promised to runs that have not ended. */
    async nextVersion(): Promise<number> {
      const adapters = await db
        .selectFrom("adapters")
        .select((eb) => eb.fn.max("version").as("top"))
        .executeTakeFirst();
      const runs = await db
        .selectFrom("training_runs")
        .select((eb) => eb.fn.max("version").as("top"))
        .executeTakeFirst();
      return Math.max(adapters?.top ?? 0, runs?.top ?? 0) + 1;
    },

    /** Changes the adapters' states and writes the log, all or nothing. */
    async deploy(entries: readonly NewDeployment[], states: readonly AdapterStateChange[]): Promise<Deployment[]> {
      return db.transaction().execute(async (transaction) => {
        for (const { version, state } of states) {
          await transaction.updateTable("adapters").set({ state }).where("version", "=", version).execute();
        }
        const written: Deployment[] = [];
        for (const entry of entries) {
          const { id } = await transaction
            .insertInto("deployments")
            .values({
              at: entry.at,
              actor: entry.actor,
              action: entry.action,
              from_adapter: entry.from === null ? null : JSON.stringify(entry.from),
              to_adapter: JSON.stringify(entry.to),
              reason: entry.reason,
              share: entry.share ?? null,
            })
            .returning("id")
            .executeTakeFirstOrThrow();
          written.push({ id, ...entry });
        }
        return written;
      });
    },

    /** Newest first. */
    async deployments(): Promise<Deployment[]> {
      const rows = await db.selectFrom("deployments").selectAll().orderBy("id", "desc").execute();
      return rows.map(({ id, at, actor, action, from_adapter, to_adapter, reason, share }) => {
        const from: AdapterIdentity | null = from_adapter === null ? null : JSON.parse(from_adapter);
        return {
          id,
          at,
          actor,
          action,
          from,
          to: JSON.parse(to_adapter),
          reason,
          ...(share === null ? {} : { share }),
        };
      });
    },
  };
}

export type AdapterRepository = ReturnType<typeof createAdapterRepository>;
