import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openStore, type Store } from "../store/index.ts";
import { describeJobQueue } from "./conformance.ts";
import type { NamedJobQueue } from "./named-queue.ts";
import { createSqliteJobQueue } from "./sqlite-queue.ts";

// Other processes are started here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const quick = { pollMs: 20, retryDelayMs: () => 10 };

describeJobQueue("SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rejoinder-jobs-"));
  const opened: { queue: NamedJobQueue; store: Store }[] = [];
  return {
    async open() {
      const store = await openStore(join(folder, "rejoinder.sqlite"));
      const queue = createSqliteJobQueue({ db: store.db, ...quick });
      opened.push({ queue, store });
      return queue;
    },
    async dispose() {
      for (const { queue } of opened) await queue.close();
      for (const { store } of opened) await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});

/** A process that takes a job, says so, and never ends it. */
const hangingWorker = `
const { openStore } = await import(process.argv[2]);
const { createSqliteJobQueue } = await import(process.argv[3]);
const store = await openStore(process.argv[4]);
const queue = createSqliteJobQueue({ db: store.db, lockMs: Number(process.argv[5]) });
queue.process("training", () => new Promise(() => process.send("working")));
`;

describe("a job whose worker was killed", () => {
  let folder: string;
  let store: Store;
  let queue: NamedJobQueue;
  let worker: ChildProcess | undefined;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "rejoinder-jobs-"));
    store = await openStore(join(folder, "rejoinder.sqlite"));
    queue = createSqliteJobQueue({ db: store.db, ...quick });
    writeFileSync(join(folder, "worker.mjs"), hangingWorker);
  });
  afterEach(async () => {
    worker?.kill("SIGKILL");
    await queue.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  async function startWorker(lockMs: number): Promise<ChildProcess> {
    const [storeFile, queueFile] = ["../store/index.ts", "./sqlite-queue.ts"].map((file) =>
      fileURLToPath(new URL(file, import.meta.url)),
    );
    const child = spawn(
      process.execPath,
      [join(folder, "worker.mjs"), `${storeFile}`, `${queueFile}`, join(folder, "rejoinder.sqlite"), String(lockMs)],
      { stdio: ["ignore", "inherit", "inherit", "ipc"] },
    );
    worker = child;
    await once(child, "message");
    return child;
  }

  it("is taken up at once by another process of the machine, as its second attempt", async () => {
    await queue.add("training", { runId: "run-1" }, { id: "run-1", maxAttempts: 3 });
    const child = await startWorker(600_000);
    const attempts: number[] = [];
    queue.process("training", async (job) => void attempts.push(job.attempt));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(attempts).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    await expect.poll(() => attempts, { timeout: 5000 }).toEqual([2]);
  });

  it("is left alone by others for as long as its process lives, however slow", async () => {
    await queue.add("training", null, { id: "run-1" });
    await startWorker(200);
    let taken = false;
    queue.process("training", async () => {
      taken = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(taken).toBe(false);
    expect((await queue.get("run-1"))?.state).toBe("active");
  });
});
