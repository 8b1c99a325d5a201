/**
 * Jobs in the store's SQLite file. Each kind is a line of its own: one job at a time, oldest first, and a job once begun
 * keeps its turn while it waits for its next attempt. A job whose process died is taken up again by whoever looks next.
 */
import { randomUUID } from "node:crypto";
import { type Kysely, type Selectable, sql } from "kysely";
import type { Job } from "../ports.ts";
import type { Database, JobTable } from "../store/schema.ts";
import { claimLockOwner, forgetLockOwner, isDeadLockOwner } from "./lock-owner.ts";
import { JobInterruptedError, type JobStatus, type NamedJobQueue, UnretryableJobError } from "./named-queue.ts";

type Handler = (job: Job, signal: AbortSignal) => Promise<void>;
type JobRow = Selectable<JobTable>;

export interface SqliteQueueOptions {
  db: Kysely<Database>;
  /** How often to look for jobs that other processes added or dropped, in ms. Default 1000. */
  pollMs?: number;
  /** How long a lock holds without being renewed, in ms; it is renewed three times as often. Default 30000. */
  lockMs?: number;
  /** Wait before the next attempt, in ms, by the number of attempts made. Default 1 s, doubled each time. */
  retryDelayMs?: (attempts: number) => number;
  now?: () => Date;
  /** Told of failures of the queue itself (the database, not the handlers). */
  onError?: (error: unknown) => void;
}

function toStatus(row: JobRow): JobStatus {
  const { id, kind, state, attempts } = row;
  const payload: unknown = JSON.parse(row.payload);
  return { id, kind, payload, state, attempts, maxAttempts: row.max_attempts, lastError: row.last_error };
}

export function createSqliteJobQueue(options: SqliteQueueOptions): NamedJobQueue {
  const { db, pollMs = 1000, lockMs = 30_000, now = () => new Date(), onError = () => undefined } = options;
  const retryDelayMs = options.retryDelayMs ?? ((attempts) => 1000 * 2 ** (attempts - 1));
  const owner = claimLockOwner();
  const handlers = new Map<string, Handler>();
  const running = new Map<string, { id: string; abort: AbortController; ended: Promise<void> }>();
  const looking = new Map<string, Promise<void>>();
  /** Cancelled here, perhaps while being claimed. */
  const cancelled = new Set<string>();
  let closed = false;

  const stamp = (offsetMs = 0): string => new Date(now().getTime() + offsetMs).toISOString();

  /** Puts jobs whose worker is gone back in line. */
  async function recover(kind: string): Promise<void> {
    const active = await db
      .selectFrom("jobs")
      .select(["id", "locked_by", "locked_until"])
      .where("kind", "=", kind)
      .where("state", "=", "active")
      .execute();
    for (const { id, locked_by: holder, locked_until: until } of active) {
      if (holder === owner) continue;
      if (holder !== null && until !== null && until > stamp() && !isDeadLockOwner(holder)) continue;
      await db
        .updateTable("jobs")
        .set({ state: "waiting", locked_by: null, locked_until: null, run_at: stamp(), updated_at: stamp() })
        .where("id", "=", id)
        .where("state", "=", "active")
        .where("locked_by", holder === null ? "is" : "=", holder)
        .execute();
    }
  }

  /** One statement, so that two processes cannot take the same job or two of one kind. */
  async function claim(kind: string): Promise<JobRow | undefined> {
    const at = stamp();
    return db
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
          .where((or) => or.or([or("run_at", "<=", at), or("attempts", ">", 0)]))
          .orderBy(sql`rowid`)
          .limit(1),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("jobs as other")
              .select("other.id")
              .where("other.kind", "=", kind)
              .where("other.state", "=", "active"),
          ),
        ),
      )
      .returningAll()
      .executeTakeFirst();
  }

  /** Leaves a job that somebody cancelled meanwhile as it is. */
  async function settle(id: string, change: Partial<JobRow>): Promise<void> {
    await db
      .updateTable("jobs")
      .set({ ...change, locked_by: null, locked_until: null, updated_at: stamp() })
      .where("id", "=", id)
      .where("state", "=", "active")
      .where("locked_by", "=", owner)
      .execute();
  }

  async function renewLock(id: string, abort: AbortController): Promise<void> {
    const { numUpdatedRows } = await db
      .updateTable("jobs")
      .set({ locked_until: stamp(lockMs) })
      .where("id", "=", id)
      .where("state", "=", "active")
      .where("locked_by", "=", owner)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) return;
    const row = await db.selectFrom("jobs").select("state").where("id", "=", id).executeTakeFirst();
    // Not cancelled: this process slept past its lock and another took the job; let go of it as at a close.
    abort.abort(new JobInterruptedError(row?.state === "cancelled" ? "cancelled" : "closing"));
  }

  async function work(row: JobRow, handler: Handler, abort: AbortController): Promise<void> {
    const renewal = setInterval(() => renewLock(row.id, abort).catch(onError), lockMs / 3);
    try {
      await handler(
        { id: row.id, kind: row.kind, payload: JSON.parse(row.payload), attempt: row.attempts },
        abort.signal,
      );
      await settle(row.id, { state: "done" });
    } catch (error) {
      const reason: unknown = abort.signal.reason;
      const lastError = error instanceof Error ? error.message : String(error);
      if (reason instanceof JobInterruptedError && reason.interruption === "closing") {
        await settle(row.id, { state: "waiting", attempts: row.attempts - 1, run_at: stamp() });
      } else if (error instanceof UnretryableJobError || row.attempts >= row.max_attempts) {
        await settle(row.id, { state: "failed", last_error: lastError });
      } else {
        await settle(row.id, {
          state: "waiting",
          run_at: stamp(retryDelayMs(row.attempts)),
          last_error: lastError,
        });
      }
    } finally {
      clearInterval(renewal);
    }
  }

  async function takeNext(kind: string): Promise<void> {
    const handler = handlers.get(kind);
    if (handler === undefined || closed || running.has(kind)) return;
    await recover(kind);
    const row = await claim(kind);
    if (row === undefined) return;
    const abort = new AbortController();
    const ended = work(row, handler, abort)
      .catch(onError)
      .then(() => {
        running.delete(kind);
        look(kind);
      });
    running.set(kind, { id: row.id, abort, ended });
    if (closed) abort.abort(new JobInterruptedError("closing"));
    else if (cancelled.has(row.id)) abort.abort(new JobInterruptedError("cancelled"));
  }

  /** Looks once; looks that come meanwhile are served by one more after it. */
  function look(kind: string): void {
    const before = looking.get(kind) ?? Promise.resolve();
    const next = before
      .then(() => takeNext(kind))
      .catch(onError)
      .then(() => {
        if (looking.get(kind) === next) looking.delete(kind);
      });
    looking.set(kind, next);
  }

  const poll = setInterval(() => {
    for (const kind of handlers.keys()) if (!looking.has(kind)) look(kind);
  }, pollMs);

  return {
    async add(kind, payload, { maxAttempts = 1, notBefore, id = randomUUID() } = {}) {
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
      if (handlers.has(kind)) look(kind);
      return id;
    },

    process(kind, handler) {
      if (handlers.has(kind)) throw new Error(`The jobs of kind "${kind}" already have a handler in this queue`);
      handlers.set(kind, handler);
      look(kind);
    },

    async cancel(id) {
      cancelled.add(id);
      const { numUpdatedRows } = await db
        .updateTable("jobs")
        .set({ state: "cancelled", locked_by: null, locked_until: null, updated_at: stamp() })
        .where("id", "=", id)
        .where("state", "in", ["waiting", "active"])
        .executeTakeFirst();
      if (numUpdatedRows === 0n) {
        cancelled.delete(id);
        return false;
      }
      for (const job of running.values()) {
        if (job.id === id) job.abort.abort(new JobInterruptedError("cancelled"));
      }
      return true;
    },

    async get(id) {
      const row = await db.selectFrom("jobs").selectAll().where("id", "=", id).executeTakeFirst();
      return row === undefined ? null : toStatus(row);
    },

    async list(kind, limit = 100) {
      const query = db.selectFrom("jobs").selectAll().where("kind", "=", kind).orderBy(sql`rowid`, "desc").limit(limit);
      return (await query.execute()).map(toStatus);
    },

    async close() {
      closed = true;
      clearInterval(poll);
      await Promise.all(looking.values());
      for (const { abort } of running.values()) abort.abort(new JobInterruptedError("closing"));
      await Promise.all([...running.values()].map((job) => job.ended));
      await Promise.all(looking.values());
      forgetLockOwner(owner);
    },
  };
}
