import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TrainingEvent } from "../../trainer/contract.ts";
import { runTrainer } from "./trainer-process.ts";

// Other processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

let folder: string;
let jobFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-trainer-"));
  jobFile = join(folder, "job.json");
  writeFileSync(jobFile, "{}");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A trainer that does what the given lines say. */
function trainer(lines: string): string {
  const entry = join(folder, "trainer.mjs");
  writeFileSync(entry, lines);
  return entry;
}

function start(entry: string, signal = new AbortController().signal, killAfterMs = 10_000) {
  const events: TrainingEvent[] = [];
  const outcome = runTrainer({
    entry,
    jobFile,
    runId: "run-1",
    signal,
    killAfterMs,
    onEvent: async (event) => void events.push(event),
  });
  return { events, outcome };
}

const done = `process.send({ type: "succeeded", runId: "run-1", adapterFolder: "/a", sha256: "ff", metrics: { reward: 1 } });`;

describe("the trainer process", () => {
  it("gets the job file, reports in order, and NaN arrives as NaN", async () => {
    const entry = trainer(`
      process.send({ type: "started", runId: "run-1", exchanges: 9, discarded: { stale: 1 }, steps: 2 });
      process.send({ type: "metric", runId: "run-1", step: 1, steps: 2, values: { loss: NaN, kl: 0.5 } });
      process.send({ type: "metric", runId: "of another run", step: 1, steps: 2, values: {} });
      process.send("chatter");
      if (!process.argv[2].endsWith("job.json")) process.exit(9);
      ${done}`);
    const { events, outcome } = start(entry);
    expect(await outcome).toMatchObject({ type: "succeeded", event: { sha256: "ff", metrics: { reward: 1 } } });
    expect(events.map((event) => event.type)).toEqual(["started", "metric", "succeeded"]);
    expect(events[1]).toMatchObject({ values: { loss: Number.NaN, kl: 0.5 } });
  });

  it("runs at low priority", async () => {
    const entry = trainer(`setTimeout(() => { ${done} }, 300);`);
    const { outcome } = start(entry);
    const pidFile = join(folder, "trainer.pid");
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, "utf8"), { timeout: 10_000 }).toBeTruthy();
    expect(getPriority(Number(readFileSync(pidFile, "utf8")))).toBe(10);
    await outcome;
  });

  it("tells the trainer's own refusal from a crash", async () => {
    const refusal = `process.send({ type: "failed", runId: "run-1", error: { code: "bad_snapshot", message: "line 3" } });`;
    expect(await start(trainer(`${refusal} process.exitCode = 1;`)).outcome).toEqual({
      type: "failed",
      error: { code: "bad_snapshot", message: "line 3" },
    });
    const crash = await start(trainer(`console.error("it was like this"); throw new Error("out of luck");`)).outcome;
    expect(crash).toMatchObject({ type: "crashed" });
    expect(crash.type === "crashed" && crash.message).toMatch(/exit code 1:.*it was like this.*out of luck/s);
    expect(await start(trainer(`process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);`)).outcome).toEqual({
      type: "crashed",
      message: "The trainer ended with signal SIGKILL",
    });
  });

  it("takes exit code 75 and its own signal for a stop", async () => {
    expect(await start(trainer(`process.exit(75);`)).outcome).toEqual({ type: "stopped" });
    const abort = new AbortController();
    const entry = trainer(`
      process.on("SIGTERM", () => process.exit(75));
      process.send({ type: "started", runId: "run-1", exchanges: 9, discarded: {}, steps: 2 });
      setInterval(() => {}, 1000);`);
    const { events, outcome } = start(entry, abort.signal);
    await expect.poll(() => events.length, { timeout: 10_000 }).toBe(1);
    abort.abort();
    expect(await outcome).toEqual({ type: "stopped" });
  });

  it("kills a trainer that does not end when told to", async () => {
    const abort = new AbortController();
    const entry = trainer(`
      process.on("SIGTERM", () => {});
      process.send({ type: "started", runId: "run-1", exchanges: 9, discarded: {}, steps: 2 });
      setInterval(() => {}, 1000);`);
    const { events, outcome } = start(entry, abort.signal, 100);
    await expect.poll(() => events.length, { timeout: 10_000 }).toBe(1);
    abort.abort();
    expect(await outcome).toEqual({ type: "stopped" });
  });
});

describe("a trainer that a killed server left behind", () => {
  let stray: ChildProcess | undefined;
  afterEach(() => void stray?.kill("SIGKILL"));

  it("is ended before the next one starts, and a stranger with its number is not", async () => {
    const hang = trainer(`setInterval(() => {}, 1000);`);
    const left = spawn(process.execPath, [hang, jobFile]);
    stray = left;
    writeFileSync(join(folder, "trainer.pid"), String(left.pid));
    const ended = once(left, "exit");
    writeFileSync(join(folder, "next.mjs"), done);
    expect(await start(join(folder, "next.mjs")).outcome).toMatchObject({ type: "succeeded" });
    await ended;
    expect(left.signalCode).toBe("SIGTERM");

    const stranger = spawn(process.execPath, [hang, "some other work"]);
    stray = stranger;
    writeFileSync(join(folder, "trainer.pid"), String(stranger.pid));
    expect(await start(join(folder, "next.mjs")).outcome).toMatchObject({ type: "succeeded" });
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  });
});
