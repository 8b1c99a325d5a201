import { once } from "node:events";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { readConfig } from "../config.ts";
import { printNote } from "./output.ts";

const settingsHelp = `
Settings, as flags or from the environment (--threads 4 is THREADS=4):
  --redis-url          the queue to take jobs from, such as redis://host:6379 (required)
  --model              checkpoint folder; only jobs of this base model are taken  [the embedded model]
  --threads            threads of a trainer program
  --data-dir           quantized weights, and files of jobs under way             [./data]
  --job-lock-seconds   how long this worker may be silent before others take its job  [30]`;

const lookForOthersMs = 10_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A folder of this process's own below `root`, where those of dead processes, and what they left running, are removed. */
async function openScratch(root: string): Promise<string> {
  const { stopStrayPrograms } = await import("../remote/stray-programs.ts");
  await mkdir(root, { recursive: true });
  for (const name of await readdir(root)) {
    const pid = Number(name);
    if (pid !== process.pid && isAlive(pid)) continue;
    await stopStrayPrograms(join(root, name));
    await rm(join(root, name), { recursive: true, force: true });
  }
  const scratch = join(root, String(process.pid));
  await mkdir(scratch);
  return scratch;
}

async function work(args: string[]): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const config = readConfig(process.env, args);
  const { readArchitecture } = await import("../../engine/checkpoint/config.ts");
  const { openCheckpointTensors } = await import("../../engine/checkpoint/checkpoint.ts");
  const { describeRedisUrl } = await import("../jobs/bull/redis-connection.ts");
  const { openRedisQueue } = await import("../jobs/open-queue.ts");
  const { createProgramWorker } = await import("../remote/program-worker.ts");
  const { jobsOfOtherModels, kindOf } = await import("../remote/task.ts");

  const { modelDir, cacheDir, threads, dataDir } = config;
  const modelSha256 = openCheckpointTensors(modelDir, readArchitecture(modelDir)).sha256();
  const onError = (error: unknown) => printNote(error instanceof Error ? error.message : String(error));
  const { queue, redis } = await openRedisQueue(config, onError);
  const scratchDir = await openScratch(join(dataDir, "worker"));
  const handle = createProgramWorker({
    client: redis.client,
    projectFolder: fileURLToPath(new URL("../..", import.meta.url)),
    modelFolder: modelDir,
    cacheDir,
    scratchDir,
    threads,
    onNote: printNote,
  });
  queue.process(kindOf(modelSha256), handle, { exclusive: false });
  const place = describeRedisUrl(config.redisUrl ?? "");
  process.stdout.write(`Rejoinder works on jobs of the model with sha256 ${modelSha256} at ${place}\n`);

  const refused = new Set<string>();
  const looking = setInterval(() => {
    jobsOfOtherModels(redis.client, queue, modelSha256)
      .then((others) => {
        for (const { id, model } of others.filter((job) => !refused.has(job.id))) {
          refused.add(id);
          printNote(
            `Leaves job ${id} to others: it is for the model with sha256 ${model}, this worker has ${modelSha256}`,
          );
        }
      })
      .catch(onError);
  }, lookForOthersMs);
  if (!stop.signal.aborted) await once(stop.signal, "abort");
  clearInterval(looking);
  await queue.close();
  await rm(scratchDir, { recursive: true, force: true });
  process.exit(0);
}

export function createWorkerCommand(): Command {
  return new Command("worker")
    .description("run the trainer programs of servers that have TRAINER=worker, on this machine")
    .argument("[settings...]")
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText("after", settingsHelp)
    .action(work);
}
