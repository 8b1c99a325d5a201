/** What the server reports of runs, merged into what the page already has. */
import type { MetricEvent, TrainingRun, TrainingRunDetail } from "../../server/protocol/index.ts";
import type { CurvePoint } from "./smoothing.ts";

/** Adds a metric; a step that is reported again (a resumed run) replaces its first report. */
export function addMetric(history: readonly MetricEvent[], event: MetricEvent): MetricEvent[] {
  const last = history.at(-1);
  if (!last || last.step < event.step) return [...history, event];
  return [...history.filter((other) => other.step !== event.step), event].sort((a, b) => a.step - b.step);
}

/** Replaces the run of the same id, or puts a new one first. */
export function putRun(runs: readonly TrainingRun[], run: TrainingRun): TrainingRun[] {
  const isKnown = runs.some((other) => other.id === run.id);
  return isKnown ? runs.map((other) => (other.id === run.id ? run : other)) : [run, ...runs];
}

export function isUnfinishedRun(run: TrainingRun): boolean {
  return run.state === "queued" || run.state === "running" || run.state === "gating";
}

/** The run to show first: the one under way, else the newest that has begun, else the newest. */
export function runToShow(runs: readonly TrainingRun[]): TrainingRun | undefined {
  return (
    runs.find((run) => run.state === "running" || run.state === "gating") ?? runs.find((run) => run.step > 0) ?? runs[0]
  );
}

/** Every metric's points by step, in the order in which the metrics first occur. */
export function curvesOf({ history }: Pick<TrainingRunDetail, "history">): Map<string, CurvePoint[]> {
  const curves = new Map<string, CurvePoint[]>();
  for (const { step, values } of history) {
    for (const [name, value] of Object.entries(values)) {
      const points = curves.get(name);
      if (points) points.push([step, value]);
      else curves.set(name, [[step, value]]);
    }
  }
  return curves;
}
