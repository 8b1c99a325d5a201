import { Cron } from "croner";
import { runsBehind } from "../lineage/ancestry.ts";
import type { Store } from "../ports.ts";
import type { TrainingService } from "./service.ts";

export interface TrainingTriggerOptions {
  store: Store;
  training: Pick<TrainingService, "start">;
  /** RETRAIN_CRON, five or six fields, local time; undefined: no schedule. */
  cron: string | undefined;
  /** RETRAIN_MIN_EXCHANGES: start when so many new or re-opened exchanges may train; undefined or 0: never. */
  minExchanges: number | undefined;
  onError?: (error: unknown) => void;
}

export interface TrainingTriggers {
  /** Call after an exchange has been completed or judged. Calls that come while one looks are one. */
  logChanged(): void;
  /** When the schedule fires next; null without one. */
  nextScheduled(): Date | null;
  close(): void;
}

/** @throws when `cron` is not a cron expression; the message names RETRAIN_CRON */
export function createTrainingTriggers(options: TrainingTriggerOptions): TrainingTriggers {
  const { store, training, cron, minExchanges = 0, onError = () => undefined } = options;
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

  let schedule: Cron | undefined;
  if (cron !== undefined) {
    try {
      schedule = new Cron(cron, { protect: true, catch: onError }, startScheduled);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`RETRAIN_CRON="${cron}" is not a cron expression: ${why}`, { cause });
    }
  }
  logChanged();

  return {
    logChanged,
    nextScheduled: () => schedule?.nextRun() ?? null,
    close() {
      closed = true;
      schedule?.stop();
    },
  };
}
