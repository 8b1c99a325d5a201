/** Runs of every kind on the sample model, in processes of their own, for tests that stop them in all sorts of ways. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint } from "../engine/checkpoint/checkpoint.ts";
import { hashFile } from "../engine/checkpoint/file-hash.ts";
import { freshAdapter } from "../engine/lora/adapter.ts";
import type { TrainingEvent, TrainingJob } from "./contract.ts";
import { loadRolloutReward } from "./ppo/rollout-reward.ts";
import { createReplySampler, sampleExchange, writeExchanges } from "./ppo/sample-log.ts";
import { seededRandom } from "./pretrain/shuffle.ts";
import { writeSampleChatModel } from "./sample-chat-model.ts";

export type SampleRun = "ppo" | "fresh ppo" | "sft";

const shape = { rank: 2, alpha: 2, targetModules: ["q_proj", "v_proj"], rankStabilized: false };

/** Writes model and snapshot into the folder. The model has said what was logged, and every reply has a rewrite. */
export async function writeSampleRuns(folder: string): Promise<void> {
  writeSampleChatModel(join(folder, "model"));
  const checkpoint = readCheckpoint(join(folder, "model"));
  const sampler = await createReplySampler(checkpoint, shape);
  const random = seededRandom(3);
  const prompts = Array.from({ length: 48 }, () => [1, 4 + Math.floor(24 * random())]);
  const adapter = freshAdapter(checkpoint.architecture, shape, random);
  const replies = await sampler.sample(adapter, prompts, { length: 4, temperature: 1, random });
  await sampler.dispose();
  const exchanges = replies.map((reply, row) =>
    sampleExchange({
      ...reply,
      id: `exchange ${row}`,
      conversationId: `conversation ${row}`,
      promptTokens: prompts[row] ?? [],
      adapter: { name: "base", version: 0, sha256: checkpoint.sha256 },
      reward: { version: "sample", total: random(), terms: {} },
      annotations: [{ label: "evasive", rewrite: "Why?", annotator: "ann", createdAt: "2026-03-01T10:00:00Z" }],
    }),
  );
  writeExchanges(join(folder, "snapshot.jsonl"), exchanges);
}

/** Writes the job of a run in `folder`/`name` and returns the file's path. */
export async function writeSampleJob(
  folder: string,
  name: string,
  kind: SampleRun,
  changes: Partial<TrainingJob> = {},
): Promise<string> {
  const rewardPath = join(folder, "reward.json");
  writeFileSync(
    rewardPath,
    JSON.stringify({ terms: { toxicity: { weight: 1, model: "embedded" }, empty: { weight: 5 } } }),
  );
  const reward = await loadRolloutReward(rewardPath);
  const small = { rank: 8, alpha: 8 };
  const snapshot = join(folder, "snapshot.jsonl");
  const how = { source: "fresh", prompts: null, reward: rewardPath, rounds: 3, promptsPerRound: 16 } as const;
  const job: TrainingJob = {
    runId: name,
    algorithm: kind === "sft" ? "sft" : "ppo",
    model: join(folder, "model"),
    parentAdapter: null,
    snapshot,
    snapshotSha256: hashFile(snapshot),
    knownAdapters: [],
    ...(kind === "fresh ppo" ? { rollouts: { ...how, maxTokens: 8 } } : {}),
    outputDir: join(folder, name),
    version: 3,
    rewardVersion: kind === "fresh ppo" ? reward.version : "sample",
    threads: 1,
    settings:
      kind === "sft"
        ? { ...small, epochs: 20, tokensPerStep: 100, stepsBetweenEvaluations: 5 }
        : { ...small, batchSize: 4 },
    ...changes,
  };
  await reward.dispose();
  mkdirSync(job.outputDir, { recursive: true });
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(job));
  return path;
}

export interface Worker {
  child: ChildProcess;
  events: TrainingEvent[];
  ended: Promise<{ code: number | null; signal: string | null }>;
}

/** @param limit most bytes of any file that it writes, by the system's own limit */
export function startWorker(
  job: string,
  onEvent: (event: TrainingEvent, child: ChildProcess) => void = () => undefined,
  limit?: number,
): Worker {
  const command = [process.execPath, join(import.meta.dirname, "worker.ts"), job];
  // In blocks of 512 bytes, or of 1024 in some shells.
  const limited = ["/bin/sh", "-c", `ulimit -f ${Math.floor((limit ?? 0) / 1024)} && exec "$@"`, "sh", ...command];
  const [program = "", ...args] = limit === undefined ? command : limited;
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "ipc"], serialization: "advanced" });
  const events: TrainingEvent[] = [];
  child.on("message", (event: TrainingEvent) => {
    events.push(event);
    onEvent(event, child);
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  return { child, events, ended };
}

/** Sends the signal at the first report of this step or a later one. */
export const stopAt = (step: number, signal: NodeJS.Signals) => (event: TrainingEvent, child: ChildProcess) => {
  if (event.type === "metric" && event.step >= step) child.kill(signal);
};

export const weightsOf = (outputDir: string) => readFileSync(join(outputDir, "adapter", "adapter_model.safetensors"));

/** A JSONL file of a run's folder. */
export function linesOf<T>(outputDir: string, file: string): T[] {
  const lines = readFileSync(join(outputDir, file), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}
