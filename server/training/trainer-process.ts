import { dirname } from "node:path";
import type { TrainingEvent } from "../../trainer/contract.ts";
import { localRunner } from "./program-process.ts";
import { parseTrainingEvent } from "./trainer-events.ts";
import type { ProgramRun, TrainerRunner } from "./trainer-runner.ts";

export interface TrainerProcessOptions extends Omit<ProgramRun, "inputs" | "outputDir" | "onMessage"> {
  /** Default none. */
  inputs?: readonly string[];
  /** Default: the folder of the job file. */
  outputDir?: string;
  /** Called in the order of the events; the next one waits. */
  onEvent: (event: TrainingEvent) => Promise<void>;
  /** Default: this machine. */
  runner?: TrainerRunner;
}

export type TrainerOutcome =
  | { type: "succeeded"; event: Extract<TrainingEvent, { type: "succeeded" }> }
  /** The trainer itself says why it cannot go on. */
  | { type: "failed"; error: { code: string; message: string } }
  /** It ended resumable: on our signal, or on one from outside. */
  | { type: "stopped" }
  | { type: "crashed"; message: string };

/** Exit code of a trainer that kept a checkpoint and wants to be started again (EX_TEMPFAIL of sysexits.h). */
const resumableExitCode = 75;

/** Runs a trainer program to its end and understands what it reports. */
export async function runTrainer(options: TrainerProcessOptions): Promise<TrainerOutcome> {
  const { onEvent, runner = localRunner, inputs = [], outputDir = dirname(options.jobFile), ...program } = options;
  let last: TrainingEvent | undefined;
  const { code, signal, said } = await runner.run({
    ...program,
    inputs,
    outputDir,
    async onMessage(message) {
      const event = parseTrainingEvent(message, program.runId);
      if (event === null) return;
      last = event;
      await onEvent(event);
    },
  });
  if (last?.type === "succeeded" && code === 0) return { type: "succeeded", event: last };
  if (last?.type === "failed") return { type: "failed", error: last.error };
  if (program.signal.aborted || code === resumableExitCode) return { type: "stopped" };
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return { type: "crashed", message: `The trainer ended with ${how}${said === "" ? "" : `:\n${said}`}` };
}
