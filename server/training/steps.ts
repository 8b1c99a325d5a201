import { createReadStream } from "node:fs";
import { createInterface } from "node:readline/promises";
import { z } from "zod";
import type { Store } from "../store/index.ts";
import type { RunStep } from "../store/lineage.ts";

/** A line of `steps.jsonl`: an optimizer step of the trainer and the exchanges in its minibatch. */
const stepSchema = z.object({ step: z.int().min(0), exchanges: z.array(z.string()) });

function parseStep(line: string): RunStep | null {
  try {
    return stepSchema.parse(JSON.parse(line));
  } catch {
    // The last line of a killed trainer may be half written; the step is done again when the run resumes.
    return null;
  }
}

const stepsPerImport = 100;

/**
 * Takes what a run's trainer wrote down about its steps into the store; a file that is not there has no steps. Doing it
 * again changes nothing.
 */
export async function importSteps(store: Store, runId: string, file: string): Promise<void> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let steps: RunStep[] = [];
  const record = async () => {
    await store.lineage.recordSteps(runId, steps);
    steps = [];
  };
  try {
    for await (const line of lines) {
      const step = parseStep(line);
      if (step !== null) steps.push(step);
      if (steps.length === stepsPerImport) await record();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await record();
}
