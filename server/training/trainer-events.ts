import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { TrainingEvent } from "../../trainer/contract.ts";

/** Any number, NaN and infinities too (a run that diverges reports them); JSON has turned those into null. */
const reportedNumber = z
  .custom<number | null>((value) => value === null || typeof value === "number")
  .transform((value) => value ?? Number.NaN);
const reported = z.record(z.string(), reportedNumber);
const count = z.int().min(0);

const trainingEventSchema: z.ZodType<TrainingEvent> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("started"),
    runId: z.string(),
    exchanges: count,
    discarded: z.record(z.string(), count),
    steps: count,
  }),
  z.object({ type: z.literal("metric"), runId: z.string(), step: count, steps: count, values: reported }),
  z.object({
    type: z.literal("succeeded"),
    runId: z.string(),
    adapterFolder: z.string(),
    sha256: z.string(),
    metrics: reported,
  }),
  z.object({
    type: z.literal("failed"),
    runId: z.string(),
    error: z.object({ code: z.string(), message: z.string() }),
  }),
]);

/** One message of the trainer process; null for what is not a training event of this run. */
export function parseTrainingEvent(message: unknown, runId: string): TrainingEvent | null {
  const parsed = trainingEventSchema.safeParse(message);
  return parsed.success && parsed.data.runId === runId ? parsed.data : null;
}

/** What a run has reported so far, oldest first. A line that a killed process left half written is skipped. */
export async function readTrainingEvents(metricsFile: string, runId: string): Promise<TrainingEvent[]> {
  let content: string;
  try {
    content = await readFile(metricsFile, "utf8");
  } catch {
    return [];
  }
  return content.split("\n").flatMap((line) => {
    try {
      return parseTrainingEvent(JSON.parse(line), runId) ?? [];
    } catch {
      return [];
    }
  });
}
