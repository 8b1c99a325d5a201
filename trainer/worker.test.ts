import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint } from "../engine/checkpoint/checkpoint.ts";
import { hashFile } from "../engine/checkpoint/file-hash.ts";
import { freshAdapter } from "../engine/lora/adapter.ts";
import type { TrainingEvent, TrainingJob } from "./contract.ts";
import { createReplySampler, sampleExchange, writeExchanges } from "./ppo/sample-log.ts";
import { seededRandom } from "./pretrain/shuffle.ts";
import { writeSampleModel } from "./sample-model.ts";

const shape = { rank: 2, alpha: 2, targetModules: ["q_proj", "v_proj"], rankStabilized: false };

let folder: string;
let snapshot: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "worker-"));
  snapshot = join(folder, "snapshot.jsonl");
  writeSampleModel(join(folder, "model"));
  const checkpoint = readCheckpoint(join(folder, "model"));
  const sampler = await createReplySampler(checkpoint, shape);
  const random = seededRandom(3);
  const prompts = Array.from({ length: 48 }, () => [1, Math.floor(24 * random())]);
  const adapter = freshAdapter(checkpoint.architecture, shape, random);
  const replies = await sampler.sample(adapter, prompts, { length: 4, temperature: 1, random });
  const exchanges = replies.map((reply, row) =>
    sampleExchange({
      ...reply,
      id: `exchange ${row}`,
      promptTokens: prompts[row] ?? [],
      adapter: { name: "base", version: 0, sha256: checkpoint.sha256 },
      reward: { version: "sample", total: random(), terms: {} },
    }),
  );
  writeExchanges(snapshot, exchanges);
  await sampler.dispose();
});

afterAll(() => rmSync(folder, { recursive: true }));

function jobFile(name: string, changes: Partial<TrainingJob> = {}): string {
  const job: TrainingJob = {
    runId: name,
    algorithm: "ppo",
    model: join(folder, "model"),
    parentAdapter: null,
    snapshot,
    snapshotSha256: hashFile(snapshot),
    knownAdapters: [],
    outputDir: join(folder, name),
    version: 3,
    rewardVersion: "sample",
    threads: 1,
    settings: { rank: 2, alpha: 2, batchSize: 4 },
    ...changes,
  };
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(job));
  return path;
}

interface Worker {
  child: ChildProcess;
  events: TrainingEvent[];
  ended: Promise<{ code: number | null; signal: string | null }>;
}

function start(job: string, onEvent: (event: TrainingEvent, child: ChildProcess) => void = () => undefined): Worker {
  const child = spawn(process.execPath, [join(import.meta.dirname, "worker.ts"), job], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced",
  });
  const events: TrainingEvent[] = [];
  child.on("message", (event: TrainingEvent) => {
    events.push(event);
    onEvent(event, child);
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  return { child, events, ended };
}

const weightsOf = (name: string) => readFileSync(join(folder, name, "adapter", "adapter_model.safetensors"));

describe("the trainer process", { timeout: 240_000 }, () => {
  it("reports over IPC and leaves the adapter, whatever stopped it in between", async () => {
    const whole = start(jobFile("whole"));
    expect(await whole.ended).toEqual({ code: 0, signal: null });
    expect(whole.events.map(({ type }) => type).filter((type) => type !== "metric")).toEqual(["started", "succeeded"]);

    const stopAt = (step: number, signal: NodeJS.Signals) => (event: TrainingEvent, child: ChildProcess) => {
      if (event.type === "metric" && event.step >= step) child.kill(signal);
    };
    const path = jobFile("stopped");
    expect(await start(path, stopAt(5, "SIGTERM")).ended).toEqual({ code: 75, signal: null });
    expect(existsSync(join(folder, "stopped", "adapter"))).toBe(false);
    expect(await start(path, stopAt(12, "SIGKILL")).ended).toEqual({ code: null, signal: "SIGKILL" });
    expect(await start(path).ended).toEqual({ code: 0, signal: null });
    expect(weightsOf("stopped").equals(weightsOf("whole"))).toBe(true);

    const logged = readFileSync(join(folder, "stopped", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    const steps = logged
      .map((line) => JSON.parse(line))
      .flatMap((event) => (event.type === "metric" ? event.step : []));
    expect(steps).toEqual([...new Set(steps)]);
  });

  it("says why it cannot go on", async () => {
    const { events, ended } = start(jobFile("failed", { parentAdapter: null, model: join(folder, "nowhere") }));
    expect((await ended).code).toBe(1);
    expect(events).toEqual([
      {
        type: "failed",
        runId: "failed",
        error: { code: "bad_checkpoint", message: expect.stringContaining("config.json") },
      },
    ]);
  });
});
