import type { Kysely, Selectable, Updateable } from "kysely";
import type { MetricEvent, TrainingRun } from "../protocol/index.ts";
import type { Database, TrainingRunTable } from "./schema.ts";

export interface StoredRun extends TrainingRun {
  /** Number promised to the result; null until the run starts. */
  version: number | null;
  /** What was asked for, as it came. */
  settings: Record<string, unknown>;
}

/** States in which a run still holds or awaits the trainer. */
export const unfinishedRunStates = ["queued", "running", "gating"] as const;

function toStoredRun(row: Selectable<TrainingRunTable>): StoredRun {
  return {
    id: row.id,
    algorithm: row.algorithm,
    state: row.state,
    trigger: row.trigger,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    parent: row.parent === null ? null : JSON.parse(row.parent),
    result: row.result === null ? null : JSON.parse(row.result),
    version: row.version,
    exchanges: row.exchanges,
    step: row.step,
    steps: row.steps,
    settings: JSON.parse(row.settings),
    metrics: JSON.parse(row.metrics),
    error: row.error === null ? null : JSON.parse(row.error),
  };
}

function toColumns(change: Partial<Omit<StoredRun, "id" | "algorithm" | "trigger" | "createdAt">>) {
  const columns: Updateable<TrainingRunTable> = {};
  if (change.state !== undefined) columns.state = change.state;
  if (change.startedAt !== undefined) columns.started_at = change.startedAt;
  if (change.finishedAt !== undefined) columns.finished_at = change.finishedAt;
  if (change.parent !== undefined) columns.parent = change.parent === null ? null : JSON.stringify(change.parent);
  if (change.result !== undefined) columns.result = change.result === null ? null : JSON.stringify(change.result);
  if (change.version !== undefined) columns.version = change.version;
  if (change.exchanges !== undefined) columns.exchanges = change.exchanges;
  if (change.step !== undefined) columns.step = change.step;
  if (change.steps !== undefined) columns.steps = change.steps;
  if (change.settings !== undefined) columns.settings = JSON.stringify(change.settings);
  if (change.metrics !== undefined) columns.metrics = JSON.stringify(change.metrics);
  if (change.error !== undefined) columns.error = change.error === null ? null : JSON.stringify(change.error);
  return columns;
}

/** Training runs and their curves. */
export function createRunRepository(db: Kysely<Database>) {
  return {
    async insert(run: StoredRun): Promise<void> {
      await db
        .insertInto("training_runs")
        .values({
          id: run.id,
          algorithm: run.algorithm,
          state: run.state,
          trigger: run.trigger,
          created_at: run.createdAt,
          started_at: run.startedAt,
          finished_at: run.finishedAt,
          parent: run.parent === null ? null : JSON.stringify(run.parent),
          result: run.result === null ? null : JSON.stringify(run.result),
          version: run.version,
          exchanges: run.exchanges,
          step: run.step,
          steps: run.steps,
          settings: JSON.stringify(run.settings),
          metrics: JSON.stringify(run.metrics),
          error: run.error === null ? null : JSON.stringify(run.error),
        })
        .execute();
    },

    /** Changes the named fields and returns the whole run. @throws when there is no such run. */
    async update(id: string, change: Parameters<typeof toColumns>[0]): Promise<StoredRun> {
      const row = await db
        .updateTable("training_runs")
        .set(toColumns(change))
        .where("id", "=", id)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw new Error(`There is no training run ${id}`);
      return toStoredRun(row);
    },

    async get(id: string): Promise<StoredRun | null> {
      const row = await db.selectFrom("training_runs").selectAll().where("id", "=", id).executeTakeFirst();
      return row === undefined ? null : toStoredRun(row);
    },

    /** Newest first. */
    async list(limit: number): Promise<StoredRun[]> {
      const query = db.selectFrom("training_runs").selectAll().orderBy("seq", "desc").limit(limit);
      return (await query.execute()).map(toStoredRun);
    },

    /** Runs that have not ended, oldest first. */
    async unfinished(): Promise<StoredRun[]> {
      const query = db.selectFrom("training_runs").selectAll().where("state", "in", unfinishedRunStates).orderBy("seq");
      return (await query.execute()).map(toStoredRun);
    },

    /** A step that is reported twice (a resumed run) replaces its first report. */
    async recordMetric(event: MetricEvent, at: Date): Promise<void> {
      const point = {
        at: at.toISOString(),
        metric_values: JSON.stringify(event.values),
      };
      await db
        .insertInto("run_metrics")
        .values({ run_id: event.runId, step: event.step, ...point })
        .onConflict((conflict) => conflict.columns(["run_id", "step"]).doUpdateSet(point))
        .execute();
    },

    async metrics(runId: string): Promise<{ step: number; at: string; values: Record<string, number> }[]> {
      const query = db.selectFrom("run_metrics").selectAll().where("run_id", "=", runId).orderBy("step");
      return (await query.execute()).map((row) => ({
        step: row.step,
        at: row.at,
        values: JSON.parse(row.metric_values),
      }));
    },
  };
}

export type RunRepository = ReturnType<typeof createRunRepository>;
