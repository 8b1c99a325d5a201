import type { NamedJobQueue } from "../jobs/named-queue.ts";
import { runsBehind } from "../lineage/ancestry.ts";
import type { Store } from "../ports.ts";
import type { TrainingService } from "./service.ts";

export interface TrainingTriggerOptions {
  store: Store;
  training: Pick<TrainingService, "start">;
  queue: Pick<NamedJobQueue, "process" | "schedule" | "unschedule">;
  /** As the service has it: servers of one lineage share one schedule, and start one run at each of its times. */
  lineage?: string;
  /** RETRAIN_CRON, five or six fields, local time; undefined: no schedule. A time missed while down is made up for. */
  cron: string | undefined;
  /** RETRAIN_MIN_EXCHANGES: start when so many new or re-opened exchanges may train; undefined or 0: never. */
  minExchanges: number | undefined;
  onError?: (error: unknown) => void;
}

export interface TrainingTriggers {
  /** Call after an exchange has been completed or judged. Calls that come while one looks are one. */
  logChanged(): void;
  close(): void;
}

/** @throws when `cron` is not a cron expression; the message names RETRAIN_CRON */
export async function createTrainingTriggers(options: TrainingTriggerOptions): Promise<TrainingTriggers> {
  const { store, training, queue, lineage = "rejoinder", cron, minExchanges = 0, onError = () => undefined } = options;
  const scheduled = `retrain:${lineage}`;
  let looking = false;
  let closed = false;

  async function unfinished(): Promise<boolean> {
    return (await store.runs.unfinished()).length > 0;
  }

  async function startScheduled(): Promise<void> {
    if (closed || (await unfinished())) return;
    await training.start({ algorithm: "ppo", trigger: "cron" });
  }

  async function startWhenEnough(): Promise<void> {
    const [lastRun] = await store.runs.list(1);
    if (await unfinished()) return;
    const adapters = await store.adapters.list();
    const live = adapters.find(({ state }) => state === "live")?.version ?? 0;
    const usedBy = runsBehind(adapters, live);
    const fresh = await store.exchangeQueries.countTrainableSince(lastRun?.createdAt ?? null, usedBy);
    if (!closed && fresh >= minExchanges) await training.start({ algorithm: "ppo", trigger: "threshold" });
  }

  function logChanged(): void {
    if (minExchanges <= 0 || looking || closed) return;
    looking = true;
    startWhenEnough()
      .catch(onError)
      .finally(() => {
        looking = false;
      });
  }

  if (cron === undefined) {
    await queue.unschedule(scheduled);
  } else {
    await queue.schedule(scheduled, { kind: scheduled, cron }).catch((cause: Error) => {
      throw new Error(`RETRAIN_CRON: ${cause.message}`, { cause });
    });
    queue.process(scheduled, startScheduled);
  }
  logChanged();

  return {
    logChanged,
    close() {
      closed = true;
    },
  };
}
