/** Where a run tells how it goes: `metrics.jsonl` in its folder and whoever started the process. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TrainingEvent, TrainingJob } from "./contract.ts";

type Details<Type extends TrainingEvent["type"]> = Omit<Extract<TrainingEvent, { type: Type }>, "type" | "runId">;

export interface RunReporter {
  started(details: Details<"started">): void;
  /** A step that an earlier start of the same run has reported already is not reported again. */
  metric(details: Details<"metric">): void;
  succeeded(details: Details<"succeeded">): void;
  failed(error: Details<"failed">["error"]): void;
}

/** Last step in the log; mends a line that a killed process left half written by ending it. */
function lastReportedStep(path: string): number {
  if (!existsSync(path)) return 0;
  const content = readFileSync(path, "utf8");
  if (content !== "" && !content.endsWith("\n")) appendFileSync(path, "\n");
  const steps = [...content.matchAll(/^\{"type":"metric",.*?"step":(\d+),.*\}$/gm)].map(([, step]) => Number(step));
  return Math.max(0, ...steps);
}

/** @param send passes an event on, besides writing it down */
export function createRunReporter(
  { runId, outputDir }: Pick<TrainingJob, "runId" | "outputDir">,
  send: (event: TrainingEvent) => void,
): RunReporter {
  const path = join(outputDir, "metrics.jsonl");
  const reported = lastReportedStep(path);
  const report = (event: TrainingEvent) => {
    appendFileSync(path, `${JSON.stringify(event)}\n`);
    send(event);
  };
  return {
    started: (details) => report({ type: "started", runId, ...details }),
    metric: (details) => {
      if (details.step > reported) report({ type: "metric", runId, ...details });
    },
    succeeded: (details) => report({ type: "succeeded", runId, ...details }),
    failed: (error) => report({ type: "failed", runId, error }),
  };
}
