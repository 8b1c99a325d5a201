/** `npm run bench -- --only ppo`: how long a PPO run on fresh rollouts takes, sampling and scoring included. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { hashFile } from "../engine/checkpoint/file-hash.ts";
import { loadReward } from "../reward/reward.ts";
import { projectFolder } from "../test/support/running-server.ts";
import type { TrainingEvent, TrainingJob } from "../trainer/contract.ts";
import type { Figure } from "./report.ts";

const threads = Math.min(2, availableParallelism());
const rollouts = { rounds: 4, promptsPerRound: 64, repliesPerPrompt: 1, temperature: 0.7, maxTokens: 64 };

export async function measurePpoPass(): Promise<Figure[]> {
  const scratch = mkdtempSync(join(tmpdir(), "rejoinder-bench-"));
  try {
    const job = await writeJob(scratch);
    const began = performance.now();
    const worker = join(projectFolder, "trainer", "worker.ts");
    const { status, stderr } = spawnSync(process.execPath, [worker, join(scratch, "job.json")], { encoding: "utf8" });
    if (status !== 0) throw new Error(`the trainer ended with ${status}:\n${stderr.slice(-2000)}`);
    const seconds = (performance.now() - began) / 1000;
    const { replies, tokens } = countReplies(join(job.outputDir, "rollouts"));
    return [
      {
        name: "PPO on fresh rollouts, embedded model",
        value: seconds,
        unit: "s",
        target: { atMost: 60 },
        how: `${replies} replies of ${(tokens / replies).toFixed(0)} tokens, ${stepsTaken(job.outputDir)} steps, start to adapter`,
      },
    ];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function writeJob(scratch: string): Promise<TrainingJob> {
  const samples = readFileSync(join(projectFolder, "datasets", "samples", "prompts.jsonl"), "utf8")
    .trim()
    .split("\n");
  const prompts = samples.map((line) => {
    const { text } = JSON.parse(line) as { text: string };
    return `${JSON.stringify({ messages: [{ role: "user", content: text }] })}\n`;
  });
  const [promptFile, snapshot, outputDir] = [
    join(scratch, "prompts.jsonl"),
    join(scratch, "log.jsonl"),
    join(scratch, "run"),
  ];
  writeFileSync(promptFile, prompts.join(""));
  writeFileSync(snapshot, "");
  mkdirSync(outputDir);
  const reward = await loadReward();
  const job: TrainingJob = {
    runId: "bench",
    algorithm: "ppo",
    model: join(projectFolder, "models", "rejoinder-tiny"),
    parentAdapter: null,
    snapshot,
    snapshotSha256: hashFile(snapshot),
    knownAdapters: [],
    rollouts: { source: "fresh", prompts: promptFile, reward: null, ...rollouts },
    outputDir,
    version: 1,
    rewardVersion: reward.version,
    threads,
    settings: {},
  };
  await reward.dispose();
  writeFileSync(join(scratch, "job.json"), JSON.stringify(job));
  return job;
}

function countReplies(folder: string): { replies: number; tokens: number } {
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), "utf8").trim().split("\n"));
  const lengths = lines.map((line) => (JSON.parse(line) as { replyTokens: number[] }).replyTokens.length);
  return { replies: lengths.length, tokens: lengths.reduce((sum, length) => sum + length, 0) };
}

function stepsTaken(outputDir: string): number {
  const lines = readFileSync(join(outputDir, "metrics.jsonl"), "utf8").trim().split("\n");
  const steps = lines.map((line) => JSON.parse(line) as TrainingEvent).filter(({ type }) => type === "metric");
  return steps.length;
}
