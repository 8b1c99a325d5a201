/** What `rejoinder worker` does with a job: fetches its files, runs the program, and sends back what it makes of them. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingEvent } from "../../trainer/contract.ts";
import type { RedisClient } from "../jobs/bull/redis-connection.ts";
import { type JobHandler, JobInterruptedError, UnretryableJobError } from "../jobs/named-queue.ts";
import { runProgramHere } from "../training/program-process.ts";
import { readTrainingEvents } from "../training/trainer-events.ts";
import { createOutputFolder } from "./output-folder.ts";
import { places, type Root, replacePaths, toLocal } from "./portable-job.ts";
import { createSharedFiles } from "./shared-files.ts";
import { messagesKey, type Task, taskSchema } from "./task.ts";
import { fenceTask, TaskTakenOverError } from "./task-fence.ts";
import { untilAnswered } from "./until-answered.ts";

export interface ProgramWorkerOptions {
  client: RedisClient;
  /** Where the programs lie. */
  projectFolder: string;
  modelFolder: string;
  /** For quantized weights. */
  cacheDir: string;
  /** For the files of jobs under way. */
  scratchDir: string;
  /** Threads of a program, whatever the server asked for. */
  threads: number;
  killAfterMs?: number;
  /** Told in words what the worker does. */
  onNote: (note: string) => void;
}

/** How often to look for a new checkpoint, ms. */
const lookEveryMs = 1000;

export function createProgramWorker(options: ProgramWorkerOptions): JobHandler {
  const { client, projectFolder, modelFolder, cacheDir, scratchDir, threads, killAfterMs, onNote } = options;
  const sharedInputs = createSharedFiles(client, "input");

  async function prepare(task: Task, folder: string, roots: readonly Root[]): Promise<string> {
    for (const { path, ...file } of task.inputs) await sharedInputs.fetch(file, join(folder, "input", path));
    const job = toLocal(task.job, roots) as Record<string, unknown>;
    const jobFile = join(folder, "output", task.jobName);
    const here = "threads" in job ? { ...job, threads } : job;
    await writeFile(jobFile, `${JSON.stringify(here, null, 2)}\n`);
    return jobFile;
  }

  /** A worker that died may have shared a checkpoint before it had told of all the steps behind it: its log has them. */
  async function untold(task: Task, key: string, outputDir: string): Promise<string[]> {
    const told = (await client.lrange(key, 0, -1)).map((message) => JSON.parse(message) as TrainingEvent);
    const last = Math.max(0, ...told.map((event) => (event.type === "metric" ? event.step : 0)));
    const logged = await readTrainingEvents(join(outputDir, "metrics.jsonl"), task.runId);
    return logged.filter((event) => event.type === "metric" && event.step > last).map((event) => JSON.stringify(event));
  }

  return async function runProgram({ id, payload, attempt, report }, signal) {
    const parsed = taskSchema.safeParse(payload);
    if (!parsed.success) throw new UnretryableJobError(`This worker is of another version: ${parsed.error.message}`);
    const task = parsed.data;
    const folder = join(scratchDir, id.replaceAll(/[^\w-]/g, "_"));
    const outputDir = join(folder, "output");
    const roots: Root[] = [
      [modelFolder, places.model],
      [cacheDir, places.cache],
      [outputDir, places.output],
      [join(folder, "input"), places.inputs],
    ];
    onNote(`Takes ${task.program} of run ${task.runId}${attempt === 1 ? "" : `, start ${attempt}`}`);
    // Whatever an earlier start left here, another worker may have gone further.
    await rm(folder, { recursive: true, force: true });
    await mkdir(outputDir, { recursive: true });
    const fence = await fenceTask(client, task.task);
    const outputs = createOutputFolder({ client, task: task.task, folder: outputDir });
    const key = messagesKey(id);
    if (await outputs.download()) {
      onNote(`Goes on from what is shared of run ${task.runId}`);
      for (const message of await untold(task, key, outputDir)) await fence.push(key, message);
    }
    const jobFile = await prepare(task, folder, roots);

    let uploading: Promise<void> = Promise.resolve();
    const looking = setInterval(() => {
      uploading = uploading
        .then(async () => {
          if (await outputs.hasNewCheckpoint()) await outputs.upload(fence, [task.jobName]);
        })
        .catch((error: Error) => onNote(`Cannot share the checkpoint of run ${task.runId} now: ${error.message}`));
    }, lookEveryMs);
    let messages = await client.llen(key);
    try {
      const end = await runProgramHere({
        entry: join(projectFolder, task.program),
        jobFile,
        runId: task.runId,
        inputs: [],
        outputDir,
        signal,
        killAfterMs,
        async onMessage(message) {
          const portable = JSON.stringify(replacePaths(message, roots));
          await untilAnswered(signal, async () => {
            messages = await fence.push(key, portable);
          });
          await untilAnswered(signal, () => report({ messages, end: null }));
        },
      });
      clearInterval(looking);
      await uploading;
      const { reason } = signal as { reason: unknown };
      if (reason instanceof JobInterruptedError && reason.interruption === "cancelled") {
        onNote(`Run ${task.runId} was cancelled`);
        await outputs.forget();
        throw reason;
      }
      await untilAnswered(signal, () => outputs.upload(fence, [task.jobName]));
      if (signal.aborted) {
        onNote(`Lets go of run ${task.runId}; whoever takes it next goes on with it`);
        throw reason;
      }
      await untilAnswered(signal, () => report({ messages, end }));
      onNote(`Ended ${task.program} of run ${task.runId} with ${end.signal ?? `exit code ${end.code}`}`);
    } catch (error) {
      // The queue notices by itself that the job is no longer this worker's.
      if (error instanceof TaskTakenOverError) onNote(`Run ${task.runId}: ${error.message}`);
      throw error;
    } finally {
      clearInterval(looking);
      await rm(folder, { recursive: true, force: true });
    }
  };
}
