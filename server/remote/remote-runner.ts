/** Runs trainer programs on whatever `rejoinder worker` takes them from the queue. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { RedisClient } from "../jobs/bull/redis-connection.ts";
import { JobInterruptedError, type JobStatus, type NamedJobQueue } from "../jobs/named-queue.ts";
import type { ProgramEnd, ProgramRun, TrainerRunner } from "../training/trainer-runner.ts";
import { createOutputFolder } from "./output-folder.ts";
import { places, type Root, toLocal, toPortable } from "./portable-job.ts";
import { createSharedFiles, sharedFileMs } from "./shared-files.ts";
import { kindOf, messagesKey, reportSchema, type Task, taskKeys, taskSchema } from "./task.ts";
import { untilAnswered } from "./until-answered.ts";

export interface RemoteRunnerOptions {
  queue: NamedJobQueue;
  client: RedisClient;
  /** The project's folder, which a worker has elsewhere. */
  projectFolder: string;
  modelFolder: string;
  modelSha256: string;
  cacheDir: string | undefined;
  /** Told in words what keeps a run waiting. */
  onNote: (note: string) => void;
}

/** A job that nobody has taken for so long is worth a word. */
const patienceMs = 30_000;

/** Every file of an input, which is a file or a folder: its path here, and its path below the input's place. */
async function filesOf(input: string): Promise<{ path: string; below: string }[]> {
  if ((await stat(input)).isFile()) return [{ path: input, below: "" }];
  const entries = await readdir(input, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, below: `/${relative(input, path).split(sep).join("/")}` }));
}

export function createRemoteRunner(options: RemoteRunnerOptions): TrainerRunner {
  const { queue, client, projectFolder, modelFolder, modelSha256, cacheDir, onNote } = options;
  const sharedInputs = createSharedFiles(client, "input");

  /** Inputs of one folder stay in one folder: a snapshot lies beside its hash. */
  function rootsOf({ inputs, outputDir }: ProgramRun): Root[] {
    const folders = [...new Set(inputs.map(dirname))];
    return [
      [modelFolder, places.model],
      ...(cacheDir === undefined ? [] : [[cacheDir, places.cache] as const]),
      [outputDir, places.output],
      ...inputs.map((path): Root => [path, `${places.inputs}/${folders.indexOf(dirname(path))}/${basename(path)}`]),
    ];
  }

  async function share(run: ProgramRun, task: string, roots: readonly Root[]): Promise<Task> {
    const inputs: Task["inputs"] = [];
    for (const input of run.inputs) {
      const place = toPortable(input, roots) as string;
      for (const { path, below } of await filesOf(input)) {
        inputs.push({ path: place.slice(places.inputs.length + 1) + below, ...(await sharedInputs.put(path)) });
      }
    }
    return taskSchema.parse({
      task,
      runId: run.runId,
      program: relative(projectFolder, run.entry).split(sep).join("/"),
      job: toPortable(JSON.parse(await readFile(run.jobFile, "utf8")), roots),
      jobName: basename(run.jobFile),
      inputs,
    });
  }

  /** The task's job that is under way or has brought it to its end; else a new one, which goes on from what is shared. */
  async function findOrAdd(
    run: ProgramRun,
    task: string,
    roots: readonly Root[],
  ): Promise<{ id: string; inputs: Task["inputs"] }> {
    const key = taskKeys(task).job;
    const newest = await client.get(key);
    const status = newest === null ? null : await queue.get(newest);
    if (newest !== null && status !== null) {
      const isUnderWay = status.state === "waiting" || status.state === "active";
      const hasSucceeded = status.state === "done" && reportSchema.parse(status.progress).end?.code === 0;
      const isRemembered = (await client.exists(messagesKey(newest))) === 1;
      if (isUnderWay || (hasSucceeded && isRemembered))
        return { id: newest, inputs: taskSchema.parse(status.payload).inputs };
    }
    const payload = await share(run, task, roots);
    const number = Number(newest?.split("#")[1] ?? 0) + 1;
    const id = `${task}#${number}`;
    // First, so that a server that dies in between finds no job of that name and adds it.
    await client.set(key, id);
    await queue.add(kindOf(modelSha256), payload, { id });
    return { id, inputs: payload.inputs };
  }

  /** Hands on the program's messages as they come, until its job has ended. */
  async function follow(run: ProgramRun, id: string, roots: readonly Root[]): Promise<ProgramEnd | null> {
    let handed = 0;
    let wake = () => {};
    let latest: JobStatus | null = null;
    const stop = queue.watch(id, (status) => {
      latest = status;
      wake();
    });
    const onAbort = () => wake();
    run.signal.addEventListener("abort", onAbort);
    try {
      for (;;) {
        const status = latest as JobStatus | null;
        latest = null;
        const read = () => client.lrange(messagesKey(id), handed, -1);
        for (const message of status === null ? [] : await untilAnswered(run.signal, read)) {
          handed += 1;
          await run.onMessage(toLocal(JSON.parse(message), roots));
        }
        if (run.signal.aborted) return null;
        if (status !== null && status.state !== "waiting" && status.state !== "active") {
          if (status.state === "done") return reportSchema.parse(status.progress).end;
          throw new Error(status.lastError ?? "The program's job was cancelled on the queue");
        }
        if (latest !== null) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop();
      run.signal.removeEventListener("abort", onAbort);
    }
  }

  return {
    async run(run) {
      const { runId, entry, signal, outputDir } = run;
      const program = relative(projectFolder, entry).split(sep).join("/");
      const task = `${runId}/${program}`;
      const roots = rootsOf(run);
      const outputs = createOutputFolder({ client, task, folder: outputDir });
      const { id, inputs } = await findOrAdd(run, task, roots);
      const impatience = setTimeout(async () => {
        if ((await queue.get(id).catch(() => null))?.state !== "waiting") return;
        onNote(`Run ${runId} waits for a \`rejoinder worker\` that has the base model with sha256 ${modelSha256}`);
      }, patienceMs);
      const keeping = setInterval(async () => {
        try {
          await outputs.keep();
          for (const input of inputs) await sharedInputs.keep(input);
        } catch (error) {
          onNote(`Cannot keep the files of run ${runId} shared: ${error instanceof Error ? error.message : error}`);
        }
      }, sharedFileMs / 24);
      try {
        const end = await follow(run, id, roots);
        if (end === null) {
          const { reason } = signal as { reason: unknown };
          // A server that closes leaves the program to its worker, and finds it again.
          const isCancelled = !(reason instanceof JobInterruptedError) || reason.interruption === "cancelled";
          if (isCancelled) await queue.cancel(id);
          return { code: null, signal: null, said: "" };
        }
        await untilAnswered(signal, () => outputs.download([basename(run.jobFile)]));
        return end;
      } finally {
        clearTimeout(impatience);
        clearInterval(keeping);
      }
    },
  };
}
