import type { NamedJobQueue } from "./named-queue.ts";
import { createJobQueue, type QueueLoopOptions } from "./queue-loop.ts";
import { createSqliteBackend, type SqliteBackendOptions } from "./sqlite-backend.ts";

/** The embedded driver: jobs in the store's own file, shared by the processes of one machine. */
export function createSqliteJobQueue(options: SqliteBackendOptions & QueueLoopOptions): NamedJobQueue {
  return createJobQueue(createSqliteBackend(options), options);
}
