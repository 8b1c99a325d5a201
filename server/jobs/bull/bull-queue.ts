import type { NamedJobQueue } from "../named-queue.ts";
import { createJobQueue, type QueueLoopOptions } from "../queue-loop.ts";
import { type BullBackendOptions, createBullBackend } from "./bull-backend.ts";

/** The driver for several machines: jobs on a Redis that they share. Closing it closes its connections. */
export function createBullJobQueue(options: BullBackendOptions & QueueLoopOptions): NamedJobQueue {
  return createJobQueue(createBullBackend(options), options);
}
