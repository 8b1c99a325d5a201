import type { Scorer } from "../chat/scorer.ts";
import { type NamedJobQueue, UnretryableJobError } from "../jobs/named-queue.ts";
import type { Store } from "../ports.ts";
import type { RescoreStatus } from "../protocol/index.ts";
import { rescore } from "./rescore.ts";

const jobKind = "rewards:re-score";
/** A server that dies again and again while it scores gives up; starting it anew goes on with what is left. */
const maxAttempts = 3;

export interface RescoreServiceOptions {
  store: Store;
  queue: NamedJobQueue;
  scorer: Scorer;
  now?: () => Date;
}

export interface RescoreService {
  /** Queues the work; while it waits or runs, asking again changes nothing. */
  start(): Promise<RescoreStatus>;
  status(): Promise<RescoreStatus>;
}

const states = { waiting: "waiting", active: "running", done: "done", failed: "failed", cancelled: "idle" } as const;

/** Brings history to the present reward in the background; a job that the last process left is taken up again. */
export function createRescoreService({ store, queue, scorer, now }: RescoreServiceOptions): RescoreService {
  const { version } = scorer;

  /** The latest job for this version: jobs of versions before it have no say. */
  async function latest() {
    const jobs = await queue.list(jobKind);
    return jobs.find(({ payload }) => (payload as { version?: string } | null)?.version === version);
  }

  async function status(): Promise<RescoreStatus> {
    const job = await latest();
    const counts = await store.rewards.countOf(version);
    return { state: job === undefined ? "idle" : states[job.state], version, ...counts, error: job?.lastError ?? null };
  }

  queue.process(jobKind, async (_job, signal) => {
    const { failed } = await rescore({ store, scorer, signal, ...(now === undefined ? {} : { now }) });
    const [first] = failed;
    if (first === undefined) return;
    throw new UnretryableJobError(
      `${failed.length} exchanges could not be scored and keep what they had; the first, ${first.id}: ${first.message}`,
    );
  });

  return {
    status,
    async start() {
      const job = await latest();
      if (job?.state !== "waiting" && job?.state !== "active") await queue.add(jobKind, { version }, { maxAttempts });
      return status();
    },
  };
}
