/**
 * A job queue over any backend: takes jobs of the kinds that have a handler, keeps their locks, and settles how they
 * ended. Events make it quick; looking every `pollMs` makes it right where events get lost.
 */
import { randomUUID } from "node:crypto";
import { createJobWatch } from "./job-watch.ts";
import {
  type JobHandler,
  JobInterruptedError,
  type NamedJobQueue,
  type ProcessOptions,
  UnretryableJobError,
} from "./named-queue.ts";
import { defaultLockMs, type HeldJob, type QueueBackend, type Settlement } from "./queue-backend.ts";
import { createScheduler } from "./scheduler.ts";

export interface QueueLoopOptions {
  /** How often to look for jobs that other processes added or dropped, in ms. Default 1000. */
  pollMs?: number;
  /** How long a lock holds without being renewed, in ms; the backend must have the same. Default 30000. */
  lockMs?: number;
  /** Wait before the next attempt, in ms, by the number of attempts made. Default 1 s, doubled each time, a minute at most. */
  retryDelayMs?: (attempts: number) => number;
  now?: () => Date;
  /** Told of failures of the queue itself (the database, not the handlers). */
  onError?: (error: unknown) => void;
}

interface Running {
  job: HeldJob;
  abort: AbortController;
  ended: Promise<void>;
}

const longestRetryDelayMs = 60_000;

export function createJobQueue(backend: QueueBackend, options: QueueLoopOptions = {}): NamedJobQueue {
  const { pollMs = 1000, lockMs = defaultLockMs, now = () => new Date(), onError = () => undefined } = options;
  const retryDelayMs =
    options.retryDelayMs ?? ((attempts) => Math.min(1000 * 2 ** (attempts - 1), longestRetryDelayMs));
  const handlers = new Map<string, { handle: JobHandler; exclusive: boolean }>();
  const running = new Map<string, Running>();
  const looking = new Map<string, Promise<void>>();
  let closed = false;
  const watch = createJobWatch(backend, onError);
  const scheduler = createScheduler(backend, { now, add, handles: (kind) => handlers.has(kind) });

  async function add(...[kind, payload, asked = {}]: Parameters<NamedJobQueue["add"]>): Promise<string> {
    const { maxAttempts = 1, notBefore = null, id = randomUUID() } = asked;
    await backend.insert({ id, kind, payload, maxAttempts, notBefore });
    watch.look(id);
    if (handlers.has(kind)) look(kind);
    return id;
  }

  /** Whether the job is still this queue's to work on; if not, its handler is told. */
  async function keepLock({ job, abort }: Pick<Running, "job" | "abort">): Promise<boolean> {
    const lock = await backend.renew(job);
    if (lock !== "kept") abort.abort(new JobInterruptedError(lock === "cancelled" ? "cancelled" : "closing"));
    return lock !== "lost";
  }

  function settlementOf(job: HeldJob, error: unknown, reason: unknown): Settlement {
    if (reason instanceof JobInterruptedError && reason.interruption === "closing") return { state: "released" };
    const message = error instanceof Error ? error.message : String(error);
    const isLast = error instanceof UnretryableJobError || job.attempts >= job.maxAttempts;
    if (isLast) return { state: "failed", error: message };
    return { state: "retry", error: message, delayMs: retryDelayMs(job.attempts) };
  }

  /** Tries until the backend has taken it in; a queue that closes does not wait for a backend that is gone. */
  async function settle(work: Pick<Running, "job" | "abort">, settlement: Settlement): Promise<void> {
    for (;;) {
      try {
        return await backend.settle(work.job, settlement);
      } catch (error) {
        onError(error);
        if (closed) return;
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    }
  }

  async function work(job: HeldJob, handle: JobHandler, abort: AbortController): Promise<void> {
    const held = { job, abort };
    let keptAt = now().getTime();
    const renewal = setInterval(() => {
      keepLock(held)
        .then((isKept) => {
          if (isKept) keptAt = now().getTime();
        })
        .catch((error: unknown) => {
          onError(error);
          // Nobody can be asked, and by now another may have taken the job: two must not work on it.
          if (now().getTime() - keptAt > lockMs) abort.abort(new JobInterruptedError("closing"));
        });
    }, lockMs / 3);
    const { id, kind, payload, attempts: attempt } = job;
    const report = async (progress: unknown) => {
      await backend.setProgress(id, progress);
      watch.look(id);
    };
    let settlement: Settlement = { state: "done" };
    try {
      await handle({ id, kind, payload, attempt, report }, abort.signal);
    } catch (error) {
      settlement = settlementOf(job, error, abort.signal.reason);
    }
    try {
      await settle(held, settlement);
    } finally {
      clearInterval(renewal);
      watch.look(id);
    }
  }

  async function takeNext(kind: string): Promise<void> {
    const handler = handlers.get(kind);
    if (handler === undefined || closed || running.has(kind)) return;
    const job = await backend.claim(kind, handler.exclusive);
    if (job === null) return;
    watch.look(job.id);
    const abort = new AbortController();
    const ended = work(job, handler.handle, abort)
      .catch(onError)
      .then(() => {
        running.delete(kind);
        look(kind);
      });
    running.set(kind, { job, abort, ended });
    if (closed) abort.abort(new JobInterruptedError("closing"));
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

  /** Finds out whether somebody cancelled it. */
  async function checkRunning({ job, abort }: Running): Promise<void> {
    if (abort.signal.aborted) return;
    const status = await backend.get(job.id);
    if (status?.state === "cancelled") abort.abort(new JobInterruptedError("cancelled"));
  }

  function checkRunningJob(id: string): void {
    for (const work of running.values()) if (work.job.id === id) checkRunning(work).catch(onError);
  }

  backend.onEvent((event) => {
    if (event.type === "added") {
      if (handlers.has(event.kind)) look(event.kind);
      return;
    }
    checkRunningJob(event.id);
    watch.look(event.id);
  });

  let firing: Promise<void> | undefined;
  const poll = setInterval(() => {
    for (const kind of handlers.keys()) if (!looking.has(kind) && !running.has(kind)) look(kind);
    for (const work of running.values()) checkRunning(work).catch(onError);
    watch.lookAtAll();
    firing ??= scheduler
      .fireDue()
      .catch(onError)
      .then(() => {
        firing = undefined;
      });
  }, pollMs);

  return {
    add,

    process(kind: string, handle: JobHandler, { exclusive = true }: ProcessOptions = {}) {
      if (handlers.has(kind)) throw new Error(`The jobs of kind "${kind}" already have a handler in this queue`);
      handlers.set(kind, { handle, exclusive });
      look(kind);
    },

    async cancel(id) {
      const cancelled = await backend.cancel(id);
      checkRunningJob(id);
      watch.look(id);
      // Where the job was waiting to be tried again, the next may go first now.
      for (const kind of handlers.keys()) if (!running.has(kind)) look(kind);
      return cancelled;
    },

    get: (id) => backend.get(id),
    list: (kind, limit = 100) => backend.list(kind, limit),
    watch: watch.add,
    schedule: scheduler.schedule,
    unschedule: (key) => backend.removeSchedule(key),
    schedules: () => backend.schedules(),

    async close() {
      if (closed) return;
      closed = true;
      clearInterval(poll);
      watch.close();
      for (const { abort } of running.values()) abort.abort(new JobInterruptedError("closing"));
      await Promise.all(looking.values());
      await Promise.all([...running.values()].map((work) => work.ended));
      await Promise.all(looking.values());
      await firing;
      await backend.close();
    },
  };
}
