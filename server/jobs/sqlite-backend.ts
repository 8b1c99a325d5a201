/** Jobs in the store's SQLite file. A job whose process died is taken up again by whoever looks next. */
import { type Kysely, type Selectable, sql } from "kysely";
import type { Database, JobTable } from "../store/schema.ts";
import { claimLockOwner, forgetLockOwner, isDeadLockOwner } from "./lock-owner.ts";
import type { JobStatus } from "./named-queue.ts";
import {
  defaultLockMs,
  type HeldJob,
  lostWorkersError,
  mostLostWorkers,
  type QueueBackend,
  type Settlement,
} from "./queue-backend.ts";
import { createSqliteSchedules } from "./sqlite-schedules.ts";

type JobRow = Selectable<JobTable>;

export interface SqliteBackendOptions {
  db: Kysely<Database>;
  lockMs?: number;
  now?: () => Date;
}

function toStatus(row: JobRow): JobStatus {
  const { id, kind, state, attempts } = row;
  return {
    id,
    kind,
    payload: JSON.parse(row.payload),
    state,
    attempts,
    maxAttempts: row.max_attempts,
    progress: row.progress === null ? null : JSON.parse(row.progress),
    lastError: row.last_error,
  };
}

export function createSqliteBackend(options: SqliteBackendOptions): QueueBackend {
  const { db, lockMs = defaultLockMs, now = () => new Date() } = options;
  const owner = claimLockOwner();
  const stamp = (offsetMs = 0): string => new Date(now().getTime() + offsetMs).toISOString();
  const unlocked = { locked_by: null, locked_until: null };

  /** Puts jobs whose worker is gone back in line, and lets go of cancelled ones that it never settled. */
  async function recover(kind: string): Promise<void> {
    const held = await db
      .selectFrom("jobs")
      .selectAll()
      .where("kind", "=", kind)
      .where("state", "in", ["active", "cancelled"])
      .where("locked_by", "is not", null)
      .execute();
    for (const { id, state, locked_by: holder, locked_until: until, attempts, max_attempts: most } of held) {
      if (holder === null || holder === owner) continue;
      if (until !== null && until > stamp() && !isDeadLockOwner(holder)) continue;
      const isHopeless = attempts >= most + mostLostWorkers;
      const change: Partial<JobRow> =
        state === "cancelled"
          ? {}
          : isHopeless
            ? { state: "failed", last_error: lostWorkersError }
            : { state: "waiting" };
      await db
        .updateTable("jobs")
        .set({ ...change, ...unlocked, updated_at: stamp() })
        .where("id", "=", id)
        .where("state", "=", state)
        .where("locked_by", "=", holder)
        .execute();
    }
  }

  return {
    async insert({ id, kind, payload, maxAttempts, notBefore }) {
      const at = stamp();
      await db
        .insertInto("jobs")
        .values({
          id,
          kind,
          payload: JSON.stringify(payload),
          state: "waiting",
          attempts: 0,
          max_attempts: maxAttempts,
          run_at: notBefore?.toISOString() ?? at,
          created_at: at,
          updated_at: at,
        })
        .onConflict((conflict) => conflict.column("id").doNothing())
        .execute();
    },

    async claim(kind, exclusive) {
      await recover(kind);
      const at = stamp();
      // One statement, so that two processes cannot take the same job or two of an exclusive kind.
      const row = await db
        .updateTable("jobs")
        .set((eb) => ({
          state: "active",
          attempts: eb("attempts", "+", 1),
          locked_by: owner,
          locked_until: stamp(lockMs),
          updated_at: at,
        }))
        .where("run_at", "<=", at)
        .where("id", "=", (eb) =>
          eb
            .selectFrom("jobs")
            .select("id")
            .where("kind", "=", kind)
            .where("state", "=", "waiting")
            // One that has begun stands first, in an exclusive kind even before its time: nobody passes it.
            .where((or) => or.or([or("run_at", "<=", at), ...(exclusive ? [or("attempts", ">", 0)] : [])]))
            .orderBy(sql`attempts > 0 desc, run_at, rowid`)
            .limit(1),
        )
        .$if(exclusive, (query) =>
          query.where(({ not, exists, selectFrom }) =>
            not(
              exists(
                selectFrom("jobs as other")
                  .select("other.id")
                  .where("other.kind", "=", kind)
                  .where("other.locked_by", "is not", null),
              ),
            ),
          ),
        )
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return null;
      const { id, attempts, max_attempts: maxAttempts } = row;
      return { id, kind, payload: JSON.parse(row.payload), attempts, maxAttempts, exclusive };
    },

    async renew({ id }) {
      const row = await db
        .updateTable("jobs")
        .set({ locked_until: stamp(lockMs) })
        .where("id", "=", id)
        .where("locked_by", "=", owner)
        .returning("state")
        .executeTakeFirst();
      // Lost: this process slept past its lock and another took the job.
      return row === undefined ? "lost" : row.state === "cancelled" ? "cancelled" : "kept";
    },

    async settle({ id, attempts }: HeldJob, settlement: Settlement) {
      const changes: Record<Settlement["state"], () => Partial<JobRow>> = {
        done: () => ({ state: "done" }),
        failed: () => ({ state: "failed" }),
        retry: () => ({ state: "waiting", run_at: stamp(settlement.state === "retry" ? settlement.delayMs : 0) }),
        released: () => ({ state: "waiting", attempts: attempts - 1 }),
      };
      const change = changes[settlement.state]();
      const error = "error" in settlement ? { last_error: settlement.error } : {};
      const held = db.updateTable("jobs").where("id", "=", id).where("locked_by", "=", owner);
      await held
        .where("state", "=", "active")
        .set({ ...change, ...error, ...unlocked, updated_at: stamp() })
        .execute();
      await held.where("state", "=", "cancelled").set(unlocked).execute();
    },

    async setProgress(id, progress) {
      await db
        .updateTable("jobs")
        .set({ progress: JSON.stringify(progress), updated_at: stamp() })
        .where("id", "=", id)
        .execute();
    },

    async cancel(id) {
      const { numUpdatedRows } = await db
        .updateTable("jobs")
        .set({ state: "cancelled", updated_at: stamp() })
        .where("id", "=", id)
        .where("state", "in", ["waiting", "active"])
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    async get(id) {
      const row = await db.selectFrom("jobs").selectAll().where("id", "=", id).executeTakeFirst();
      return row === undefined ? null : toStatus(row);
    },

    async list(kind, limit) {
      const query = db.selectFrom("jobs").selectAll().where("kind", "=", kind).orderBy(sql`rowid`, "desc").limit(limit);
      return (await query.execute()).map(toStatus);
    },

    ...createSqliteSchedules(db),

    // Other processes are noticed by looking: SQLite tells nobody.
    onEvent: () => undefined,

    async close() {
      forgetLockOwner(owner);
    },
  };
}
