import { expect, it } from "vitest";
import type { MetricEvent, TrainingRun } from "../../server/protocol/index.ts";
import { addMetric, curvesOf, isUnfinishedRun, putRun, runToShow } from "./run-history.ts";

const metric = (step: number, values: Record<string, number>): MetricEvent => ({ runId: "r", step, steps: 9, values });

const run = (id: string, more: Partial<TrainingRun> = {}): TrainingRun => ({
  id,
  algorithm: "ppo",
  state: "succeeded",
  trigger: "api",
  createdAt: "2026-01-01T00:00:00.000Z",
  startedAt: null,
  finishedAt: null,
  parent: null,
  result: null,
  exchanges: 0,
  step: 0,
  steps: 0,
  metrics: {},
  error: null,
  ...more,
});

it("keeps one report a step, in order, the last one counting", () => {
  const events = [metric(1, { kl: 1 }), metric(3, { kl: 3 }), metric(2, { kl: 2 }), metric(1, { kl: 1.5 })];
  const history = events.reduce<MetricEvent[]>(addMetric, []);
  expect(history.map(({ step, values }) => [step, values.kl])).toEqual([
    [1, 1.5],
    [2, 2],
    [3, 3],
  ]);
});

it("splits a history into curves, also of metrics that come later", () => {
  const curves = curvesOf({ history: [metric(1, { reward: 0.1 }), metric(2, { reward: 0.2, kl: 0.5 })] });
  expect([...curves]).toEqual([
    [
      "reward",
      [
        [1, 0.1],
        [2, 0.2],
      ],
    ],
    ["kl", [[2, 0.5]]],
  ]);
});

it("replaces a known run in its place and puts a new one first", () => {
  const runs = [run("b"), run("a")];
  expect(putRun(runs, run("a", { step: 4 })).map(({ id, step }) => [id, step])).toEqual([
    ["b", 0],
    ["a", 4],
  ]);
  expect(putRun(runs, run("c")).map(({ id }) => id)).toEqual(["c", "b", "a"]);
});

it("shows the run under way before finished and waiting ones", () => {
  const queued = run("q", { state: "queued" });
  const finished = run("f", { step: 9 });
  const running = run("r", { state: "running" });
  expect(runToShow([queued, finished, running])?.id).toBe("r");
  expect(runToShow([queued, finished])?.id).toBe("f");
  expect(runToShow([queued])?.id).toBe("q");
  expect(runToShow([])).toBeUndefined();
  expect([queued, finished, running].map(isUnfinishedRun)).toEqual([true, false, true]);
});
