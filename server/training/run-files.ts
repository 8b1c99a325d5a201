import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingJob } from "../../trainer/contract.ts";

export interface RunFiles {
  folder: string;
  job: string;
  snapshot: string;
  /** What fresh rollouts answer, where the request brought it along. */
  prompts: string;
  metrics: string;
  /** Which exchanges each optimizer step used; see steps.ts. */
  steps: string;
  /** Where the trainer leaves its result. */
  adapter: string;
  /** Folder of its gate. */
  gate: string;
}

export function runFiles(runsFolder: string, runId: string): RunFiles {
  const folder = join(runsFolder, runId);
  return {
    folder,
    job: join(folder, "job.json"),
    snapshot: join(folder, "snapshot.jsonl"),
    prompts: join(folder, "prompts.jsonl"),
    metrics: join(folder, "metrics.jsonl"),
    steps: join(folder, "steps.jsonl"),
    adapter: join(folder, "adapter"),
    gate: join(folder, "gate"),
  };
}

/** Null when the run has not been prepared yet. Written by us, so its shape is trusted. */
export async function readJob(files: RunFiles): Promise<TrainingJob | null> {
  let content: string;
  try {
    content = await readFile(files.job, "utf8");
  } catch {
    return null;
  }
  return JSON.parse(content);
}

/** The last step of preparing a run: with this file in place a restart resumes instead of preparing anew. */
export async function writeJob(files: RunFiles, job: TrainingJob): Promise<void> {
  await mkdir(files.folder, { recursive: true });
  const partial = `${files.job}.partial`;
  await writeFile(partial, `${JSON.stringify(job, null, 2)}\n`);
  await rename(partial, files.job);
}

/**
 * What a trainer reads besides the base model: a machine that is to run the job must have these files and folders.
 * A reward's configuration file goes along; folders that it names must be where it says on that machine too.
 */
export function jobInputs({ snapshot, parentAdapter, rollouts }: TrainingJob): string[] {
  const fresh = rollouts?.source === "fresh" ? [rollouts.prompts, rollouts.reward] : [];
  const optional = [parentAdapter?.folder ?? null, ...fresh];
  return [snapshot, `${snapshot}.sha256`, ...optional.filter((path) => path !== null)];
}
