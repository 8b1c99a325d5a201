import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { NamedJobQueue } from "../jobs/named-queue.ts";
import type { FanOut } from "../ports.ts";
import type { ServerStatus, TrainingRun, TrainingRunDetail } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { StoredRun } from "../store/runs.ts";
import { startRunSchema } from "./requests.ts";
import { createRunHandler, maxRunAttempts, type RunHandlerOptions } from "./run-handler.ts";
import { createRunProgress, toTrainingRun } from "./run-progress.ts";
import { startingPoint } from "./starting-point.ts";

export interface TrainingServiceOptions extends Omit<RunHandlerOptions, "progress" | "now"> {
  queue: NamedJobQueue;
  fanOut: FanOut;
  /**
   * The live adapter's line of descent; runs of one line follow each other, since each starts from the one before.
   * Installations that share a queue have each their own. Default "rejoinder".
   */
  lineage?: string;
  now?: () => Date;
}

/** What POST /api/training/runs takes, and who asks. */
export type NewRun = z.input<typeof startRunSchema> & { trigger: TrainingRun["trigger"] };

export interface TrainingService {
  /** Queues a run; on disk when the promise resolves. @throws ZodError for settings out of range, RequestError `nothing_erased`, `gradients_need_int8` */
  start(run: NewRun): Promise<TrainingRun>;
  /** Newest first. */
  list(limit: number): Promise<TrainingRun[]>;
  get(id: string): Promise<TrainingRunDetail | null>;
  /** The run as it is after; null when there is none, "ended" when it was over already. */
  cancel(id: string): Promise<TrainingRun | "ended" | null>;
  status(): Promise<ServerStatus["training"]>;
}

/** Takes up the runs that the last process left, and works on them one after the other. */
export async function createTrainingService(options: TrainingServiceOptions): Promise<TrainingService> {
  const { store, queue, fanOut, lineage = "rejoinder", now = () => new Date() } = options;
  const jobKind = `training:${lineage}`;
  const progress = createRunProgress(store, fanOut, now);

  async function enqueue(run: StoredRun): Promise<void> {
    await queue.add(jobKind, null, { id: run.id, maxAttempts: maxRunAttempts });
  }

  async function markCancelled(id: string): Promise<StoredRun> {
    const error = { code: "cancelled", message: "Cancelled by request" };
    return progress.change(id, { state: "cancelled", finishedAt: now().toISOString(), error });
  }

  /** A process may have died between two of its writes: the run's own row decides what should be. */
  async function reconcile(): Promise<void> {
    for (const run of await store.runs.unfinished()) {
      const job = await queue.get(run.id);
      if (job === null) await enqueue(run);
      else if (job.state === "cancelled") await markCancelled(run.id);
      else if (job.state === "failed" || job.state === "done") {
        const message = job.lastError ?? "The run ended without a result";
        await progress.change(run.id, {
          state: "failed",
          finishedAt: now().toISOString(),
          error: { code: "crashed", message },
        });
      }
    }
  }

  await reconcile();
  queue.process(jobKind, createRunHandler({ ...options, progress, now }));

  return {
    async start({ trigger, ...asked }) {
      const request = startRunSchema.parse(asked);
      if (request.settings.gradients === "rounded" && options.quantization !== "int8") {
        const message = 'gradients "rounded" needs QUANTIZATION=int8: they are rounded as int8 activations are';
        throw new RequestError(400, "gradients_need_int8", message);
      }
      // A clean start that makes no sense is refused before anything is queued.
      await startingPoint(store, options.registry.live(), request.from);
      const run: StoredRun = {
        id: randomUUID(),
        algorithm: request.algorithm,
        state: "queued",
        trigger,
        createdAt: now().toISOString(),
        startedAt: null,
        finishedAt: null,
        parent: null,
        result: null,
        exchanges: 0,
        step: 0,
        steps: 0,
        metrics: {},
        error: null,
        version: null,
        settings: request,
      };
      await store.runs.insert(run);
      fanOut.ops("run", toTrainingRun(run));
      await enqueue(run);
      return toTrainingRun(run);
    },

    list: async (limit) => (await store.runs.list(limit)).map(toTrainingRun),

    async get(id) {
      const run = await store.runs.get(id);
      if (run === null) return null;
      const points = await store.runs.metrics(id);
      const history = points.map(({ step, values }) => ({ runId: id, step, steps: run.steps, values }));
      return { ...toTrainingRun(run), history };
    },

    async cancel(id) {
      const run = await store.runs.get(id);
      if (run === null) return null;
      const job = await queue.get(id);
      if (run.finishedAt !== null || !(await queue.cancel(id))) return "ended";
      // A running one marks itself when its trainer has ended.
      if (job?.state === "waiting") return toTrainingRun(await markCancelled(id));
      return toTrainingRun(run);
    },

    async status() {
      const running = (await store.runs.unfinished()).find((run) => run.state !== "queued");
      return { state: running === undefined ? "idle" : "running", runId: running?.id ?? null };
    },
  };
}
