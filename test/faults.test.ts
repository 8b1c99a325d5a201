/**
 * Server and trainer are killed (SIGKILL) at random points, over and over, while people chat and runs train. After each
 * start: what was acknowledged is there, what was said stays as it was said, the deployment log only grows, the live
 * adapter is the one that was deployed last and its file is whole. In the end every run has come to a clear end, and
 * runs that were killed on the way have come to the same bits as without.
 */
import { spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeSampleModel } from "../server/adapters/sample-model.ts";
import type { Deployment, ExchangeSummary, Page, ServerStatus, TrainingRun } from "../server/protocol/index.ts";
import type { TrainingJob } from "../trainer/contract.ts";
import { type ChatClient, connectChat } from "./support/chat-client.ts";
import { projectFolder, type RunningServer, startServer } from "./support/running-server.ts";

const kills = Number(process.env.FAULT_KILLS ?? 50);
/** Between two kills, ms. */
const longestWait = 4000;

let seed = 20_261_124;
/** Uniform in 0..1 (mulberry32). */
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const folder = mkdtempSync(join(tmpdir(), "rejoinder-faults-"));
const dataDir = join(folder, "data");
let server: RunningServer;
let chat: ChatClient;
/** Exchange ids that the server has acknowledged, and the texts of the replies that it called done. */
const acknowledged = new Set<string>();
const told = new Map<string, string>();
const runIds = new Set<string>();
/** How often trainer, gate or server was killed while a run was under way, by run. */
const disturbed = new Map<string, number>();
/** One more, and a run would be given up. */
const mostKillsOfOne = 2;
let deployments: Deployment[] = [];

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(`${server.url}${path}`);
  if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

const ended = (run: TrainingRun) => run.finishedAt !== null;
const runs = async () => (await get<Page<TrainingRun>>("/api/training/runs")).items;

async function start(): Promise<void> {
  server = await startServer({ MODEL: join(folder, "model"), THREADS: "1" }, dataDir);
  chat = await connectChat(server.url);
  chat.socket.on("done", ({ exchangeId, text }) => told.set(exchangeId, text));
}

/** Sends a message and does not wait for the reply. */
function say(n: number): void {
  const options = { consent: true, maxTokens: 16, temperature: 1, topP: 1, seed: n };
  chat.socket.emit(
    "message",
    { text: `They are all lazy, number ${n}.`, clientMessageId: randomUUID(), options },
    (a) => {
      if (a.ok) acknowledged.add(a.exchangeId);
    },
  );
}

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function trainUnlessUnderWay(): Promise<void> {
  if (!(await runs()).every(ended)) return;
  // Many small steps, so that kills fall between and into them.
  const settings = { batchSize: 2, epochs: 2, rank: 2, valueWarmupSteps: 5, seed: runIds.size };
  const answer = await fetch(`${server.url}/api/training/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ algorithm: "ppo", settings, maxExchanges: 24 }),
  });
  expect(answer.status).toBe(202);
  runIds.add(((await answer.json()) as { id: string }).id);
}

/** Process ids of trainers and gates that live, by run. */
function trainers(): { runId: string; pid: number }[] {
  const folders = [...runIds].flatMap((runId) => [[runId, join(runId, "gate")] as const, [runId, runId] as const]);
  return folders.flatMap(([runId, folder]) => {
    const file = join(dataDir, "runs", folder, "trainer.pid");
    const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
    const command = pid > 0 && existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
    return command.includes(runId) ? [{ runId, pid }] : [];
  });
}

async function isDueToEnd(): Promise<boolean> {
  return (await runs()).some((run) => !ended(run) && (disturbed.get(run.id) ?? 0) >= mostKillsOfOne);
}

async function look(): Promise<void> {
  const known = await get<Page<TrainingRun>>("/api/training/runs");
  expect(known.items.map(({ id }) => id).sort()).toEqual([...runIds].sort());

  const log = (await get<Page<Deployment>>("/api/deployments")).items.toReversed();
  expect(log.slice(0, deployments.length)).toEqual(deployments);
  deployments = log;
  const served = (await get<ServerStatus>("/api/status")).adapter;
  const last = log.findLast(({ action }) => action === "promote" || action === "rollback")?.to;
  expect({ version: served.version, sha256: served.sha256 }).toEqual(
    last === undefined ? { version: 0, sha256: served.sha256 } : { version: last.version, sha256: last.sha256 },
  );
  if (served.version > 0) {
    const file = join(dataDir, "artifacts", "adapters", String(served.version), "adapter_model.safetensors");
    expect(sha256(file)).toBe(served.sha256);
  }

  for (const id of acknowledged) {
    const exchange = await get<ExchangeSummary>(`/api/exchanges/${id}`);
    const text = told.get(id);
    if (text !== undefined) expect(exchange.reply, id).toBe(text);
  }
}

beforeAll(async () => {
  // Short replies, so that a run and its gate can come through between kills.
  writeSampleModel(join(folder, "model"), 1, 96);
  await start();
}, 60_000);

afterAll(async () => {
  chat?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it(`loses nothing when server and trainer are killed ${kills} times`, { timeout: 1_200_000 }, async () => {
  const killed = { server: 0, trainer: 0 };
  let said = 0;
  for (; said < 24; said++) say(said);
  await expect.poll(() => told.size, { timeout: 60_000 }).toBe(24);

  while (killed.server + killed.trainer < kills) {
    await trainUnlessUnderWay();
    const until = performance.now() + random() * longestWait;
    while (performance.now() < until || (await isDueToEnd())) {
      say(said++);
      await pause(200);
    }
    const [trainer] = trainers();
    for (const { id, finishedAt } of await runs()) {
      if (finishedAt === null) disturbed.set(id, (disturbed.get(id) ?? 0) + 1);
    }
    if (trainer !== undefined && random() < 0.5) {
      try {
        process.kill(trainer.pid, "SIGKILL");
        killed.trainer += 1;
      } catch {
        // It ended in the meantime.
      }
      continue;
    }
    chat.close();
    await server.stop("SIGKILL");
    killed.server += 1;
    await start();
    await look();
  }

  await expect.poll(async () => (await runs()).every(ended), { timeout: 240_000, interval: 500 }).toBe(true);
  await trainUnlessUnderWay();
  await expect.poll(async () => (await runs()).every(ended), { timeout: 240_000, interval: 500 }).toBe(true);
  await look();

  const outcomes = await runs();
  const count = (state: string) => outcomes.filter((run) => run.state === state).length;
  console.log(
    `${killed.server} kills of the server, ${killed.trainer} of the trainer; ${acknowledged.size} exchanges kept; ` +
      `runs: ${count("succeeded")} succeeded, ${count("rejected")} rejected, ${count("failed")} given up; ` +
      `${deployments.length} deployments`,
  );
  for (const run of outcomes) {
    expect(["succeeded", "rejected", "failed"], run.id).toContain(run.state);
    // Given up after three starts that did not end in order, or the random policy has left what was logged too far behind.
    if (run.state === "failed") expect(["crashed", "too_few_exchanges"]).toContain(run.error?.code);
  }
  // Left alone, the last one came through.
  expect(outcomes[0]?.state).toBe("succeeded");

  await server.stop();
  const database = new DatabaseSync(join(dataDir, "rejoinder.sqlite"), { readOnly: true });
  expect(database.prepare("pragma integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  database.close();

  // What was trained with interruptions is what an undisturbed trainer makes of the same job.
  const again = outcomes.filter(({ id, result }) => disturbed.has(id) && result !== null).slice(0, 3);
  expect(again.length).toBeGreaterThan(0);
  for (const { id, result } of again) {
    const job: TrainingJob = JSON.parse(readFileSync(join(dataDir, "runs", id, "job.json"), "utf8"));
    const outputDir = join(folder, `again-${id}`);
    mkdirSync(outputDir);
    const jobFile = join(outputDir, "job.json");
    writeFileSync(jobFile, JSON.stringify({ ...job, outputDir }));
    const entry = join(projectFolder, "trainer", "worker.ts");
    expect(spawnSync(process.execPath, [entry, jobFile], { stdio: "ignore" }).status).toBe(0);
    expect(sha256(join(outputDir, "adapter", "adapter_model.safetensors")), id).toBe(result?.sha256);
  }
});
