/** Where a run tells how it goes: `metrics.jsonl` and `steps.jsonl` in its folder, and whoever started the process. */
import { appendFileSync, existsSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { TrainingEvent, TrainingJob, TrainingStep } from "./contract.ts";

type Details<Type extends TrainingEvent["type"]> = Omit<Extract<TrainingEvent, { type: Type }>, "type" | "runId">;

export interface RunReporter {
  started(details: Details<"started">): void;
  /** A step that an earlier start of the same run has reported already is not reported again, here and in `trained`. */
  metric(details: Details<"metric">): void;
  /** Which exchanges an optimizer step was made of. */
  trained(step: TrainingStep): void;
  succeeded(details: Details<"succeeded">): void;
  failed(error: Details<"failed">["error"]): void;
}

/** Last step in a log whose lines match; a line that a killed process left half written is taken off. */
function lastStep(path: string, line: RegExp): number {
  if (!existsSync(path)) return 0;
  const content = readFileSync(path);
  const whole = content.lastIndexOf("\n") + 1;
  if (whole < content.length) truncateSync(path, whole);
  const steps = [...content.toString("utf8", 0, whole).matchAll(line)].map(([, step]) => Number(step));
  return steps.reduce((most, step) => Math.max(most, step), 0);
}

/** Before the checkpoint that counts on it is written, a line must be on the disk. */
function append(path: string, line: object): void {
  appendFileSync(path, `${JSON.stringify(line)}\n`, { flush: true });
}

/** @param send passes an event on, besides writing it down */
export function createRunReporter(
  { runId, outputDir }: Pick<TrainingJob, "runId" | "outputDir">,
  send: (event: TrainingEvent) => void,
): RunReporter {
  const metrics = join(outputDir, "metrics.jsonl");
  const steps = join(outputDir, "steps.jsonl");
  const reported = lastStep(metrics, /^\{"type":"metric",.*?"step":(\d+),.*\}$/gm);
  const trained = lastStep(steps, /^\{"step":(\d+),.*\}$/gm);
  const report = (event: TrainingEvent) => {
    append(metrics, event);
    send(event);
  };
  return {
    started: (details) => report({ type: "started", runId, ...details }),
    metric: (details) => {
      if (details.step > reported) report({ type: "metric", runId, ...details });
    },
    trained: ({ step, exchanges }) => {
      if (step > trained) append(steps, { step, exchanges });
    },
    succeeded: (details) => report({ type: "succeeded", runId, ...details }),
    failed: (error) => {
      const event: TrainingEvent = { type: "failed", runId, error };
      try {
        append(metrics, event);
      } catch {
        // The disk may be what failed: whoever listens is told all the same.
      }
      send(event);
    },
  };
}
