import type { TrainingEvent } from "../../trainer/contract.ts";
import type { FanOut, Store } from "../ports.ts";
import type { TrainingRun } from "../protocol/index.ts";
import type { StoredRun } from "../store/runs.ts";

export function toTrainingRun({ version: _, settings: __, ...run }: StoredRun): TrainingRun {
  return run;
}

export type RunChange = Parameters<Store["runs"]["update"]>[1];

export interface RunProgress {
  /** Writes a change of the run down and tells the operators. */
  change(runId: string, change: RunChange): Promise<StoredRun>;
  /** Takes in what the trainer reports. */
  record(event: TrainingEvent): Promise<void>;
}

/** The finite values only: JSON has no NaN, and a curve no place for it. */
function finite(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
}

export function nonFiniteNames(events: readonly TrainingEvent[]): string[] {
  const names = new Set<string>();
  for (const event of events) {
    const values = event.type === "metric" ? event.values : event.type === "succeeded" ? event.metrics : {};
    for (const [name, value] of Object.entries(values)) if (!Number.isFinite(value)) names.add(name);
  }
  return [...names];
}

export function createRunProgress(store: Store, fanOut: FanOut, now: () => Date): RunProgress {
  async function change(runId: string, what: RunChange): Promise<StoredRun> {
    const run = await store.runs.update(runId, what);
    fanOut.ops("run", toTrainingRun(run));
    return run;
  }
  return {
    change,
    async record(event) {
      if (event.type === "started") {
        await change(event.runId, { exchanges: event.exchanges, steps: event.steps });
      } else if (event.type === "metric") {
        const { runId, step, steps } = event;
        const point = { runId, step, steps, values: finite(event.values) };
        await store.runs.recordMetric(point, now());
        fanOut.ops("metric", point);
        await change(runId, { step, steps, metrics: point.values });
      } else if (event.type === "succeeded") {
        await change(event.runId, { metrics: finite(event.metrics) });
      }
    },
  };
}
