import { afterEach, beforeEach, expect, it } from "vitest";
import type { NamedJobQueue } from "../jobs/named-queue.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange, type SampleExchange } from "./sample-log.ts";
import { insertAdapter } from "./sample-run.ts";
import type { NewRun } from "./service.ts";
import { createTrainingTriggers, type TrainingTriggers } from "./triggers.ts";

let store: Store;
let queue: NamedJobQueue;
let triggers: TrainingTriggers | undefined;
let started: NewRun[];
beforeEach(async () => {
  store = await openStore(":memory:");
  queue = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  started = [];
});
afterEach(async () => {
  triggers?.close();
  triggers = undefined;
  await queue.close();
  await store.close();
});

/** Notes the run as the service would; one that is `finished` has ended at once. */
async function open(options: { cron?: string; minExchanges?: number; finished?: boolean }): Promise<TrainingTriggers> {
  const { finished = true } = options;
  triggers = await createTrainingTriggers({
    store,
    queue,
    cron: options.cron,
    minExchanges: options.minExchanges,
    training: {
      async start(run) {
        started.push(run);
        const createdAt = new Date().toISOString();
        const stored = {
          id: `run-${started.length}`,
          algorithm: run.algorithm,
          state: finished ? ("succeeded" as const) : ("queued" as const),
          trigger: run.trigger,
          createdAt,
          startedAt: null,
          finishedAt: finished ? createdAt : null,
          parent: null,
          result: null,
          exchanges: 0,
          step: 0,
          steps: 0,
          metrics: {},
          error: null,
        };
        await store.runs.insert({ ...stored, version: null, settings: {} });
        return stored;
      },
    },
  });
  return triggers;
}

let logged = 0;
async function complete(trigger: TrainingTriggers, sample: SampleExchange = {}): Promise<void> {
  logged += 1;
  const completedAt = new Date();
  await logExchange(store, `e${logged}`, { ...sample, outcome: { completedAt, ...sample.outcome } });
  trigger.logChanged();
  await new Promise((resolve) => setTimeout(resolve, 20));
}

it("starts a PPO run when enough new exchanges may train, and counts from there anew", async () => {
  const trigger = await open({ minExchanges: 3 });
  await complete(trigger);
  await complete(trigger);
  await complete(trigger, { accepted: { consent: false } });
  await complete(trigger, { outcome: { finishReason: "cancelled" } });
  expect(started).toEqual([]);
  await complete(trigger);
  expect(started).toEqual([{ algorithm: "ppo", trigger: "threshold" }]);
  await complete(trigger);
  await complete(trigger);
  expect(started).toHaveLength(1);
  await complete(trigger);
  expect(started).toHaveLength(2);
});

it("counts an exchange again that was used and is judged after", async () => {
  const trigger = await open({ minExchanges: 2 });
  await complete(trigger);
  await complete(trigger);
  expect(started).toHaveLength(1);
  await insertAdapter(store, 1, { runId: "run-1", state: "live" });
  const used = [`e${logged - 1}`, `e${logged}`];
  await store.lineage.take(
    "run-1",
    used.map((id) => ({ id, reward: 0 })),
    new Date().toISOString(),
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  for (const [index, id] of used.entries()) {
    expect(started).toHaveLength(1);
    await store.annotations.put(id, "ben", { label: "toxic", severity: index + 1 }, new Date());
    trigger.logChanged();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(started).toHaveLength(2);
});

it("does not pile up runs while one is unfinished", async () => {
  const trigger = await open({ minExchanges: 1, finished: false });
  await complete(trigger);
  await complete(trigger);
  await complete(trigger);
  expect(started).toHaveLength(1);
});

it("counts at the start what came in while no trigger was set", async () => {
  await logExchange(store, "before");
  await open({ minExchanges: 1 });
  await expect.poll(() => started.length, { timeout: 5000 }).toBe(1);
});

it("never starts by itself when neither setting is given", async () => {
  const trigger = await open({});
  await complete(trigger);
  expect(started).toEqual([]);
  expect(await queue.schedules()).toEqual([]);
});

it("starts on schedule", async () => {
  await open({ cron: "* * * * * *", finished: false });
  await expect.poll(() => started, { timeout: 5000 }).toEqual([{ algorithm: "ppo", trigger: "cron" }]);
  // The schedule goes with the setting.
  await queue.close();
  queue = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  await open({});
  expect(await queue.schedules()).toEqual([]);
});

it("names the setting when the schedule is no cron expression", async () => {
  await expect(open({ cron: "every now and then" })).rejects.toThrow('RETRAIN_CRON: "every now and then"');
});
