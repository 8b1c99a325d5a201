/** A runner and a worker over a real Redis, with programs of a few lines in the trainer's place. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createBullJobQueue } from "../jobs/bull/bull-queue.ts";
import { connectRedis, type RedisConnection } from "../jobs/bull/redis-connection.ts";
import { JobInterruptedError, type NamedJobQueue } from "../jobs/named-queue.ts";
import { hasRedisServer, startRedis, type TestRedis } from "../testing/redis-server.ts";
import type { ProgramEnd } from "../training/trainer-runner.ts";
import { createProgramWorker } from "./program-worker.ts";
import { createRemoteRunner } from "./remote-runner.ts";
import { createSharedFiles } from "./shared-files.ts";
import { kindOf, taskKeys } from "./task.ts";
import { fenceTask, TaskTakenOverError } from "./task-fence.ts";

// Programs run at low priority: on a machine that is busy otherwise they take their time.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const fail = (error: unknown) => console.error(error);
const until = { timeout: 100_000, interval: 20 };
const model = "ab".repeat(32);

/** One side of the test: its own connection and queue, as a process of its own would have. */
interface Side {
  redis: RedisConnection;
  queue: NamedJobQueue;
}

describe.runIf(hasRedisServer())("a trainer program on another machine", () => {
  let server: TestRedis;
  let folder: string;
  let sides: Side[];
  let notes: string[];
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.dispose());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rejoinder-remote-"));
    sides = [];
    notes = [];
  });
  afterEach(async () => {
    await Promise.all(sides.map(({ queue }) => queue.close()));
    rmSync(folder, { recursive: true });
  });

  async function open(): Promise<Side> {
    const redis = await connectRedis(server.url, fail);
    const side = { redis, queue: createBullJobQueue({ redis, onError: fail, pollMs: 50 }) };
    sides.push(side);
    return side;
  }

  /** The project of both sides; its trainer does what the lines say, with `job` and `output` at hand. */
  function writeProgram(lines: string): void {
    mkdirSync(join(folder, "project", "trainer"), { recursive: true });
    writeFileSync(
      join(folder, "project", "trainer", "worker.ts"),
      `const { existsSync, readFileSync, writeFileSync } = await import("node:fs");
      const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
      const output = (name) => job.outputDir + "/" + name;
      ${lines}
      process.disconnect();`,
    );
  }

  /** Waits to be stopped, with a checkpoint; started again with it, ends at once. */
  const patient = `
    const resumed = existsSync(output("checkpoint.bin"));
    if (!resumed) {
      process.on("SIGTERM", () => process.exit(75));
      writeFileSync(output("checkpoint.bin"), "half way");
    }
    process.send({ resumed });
    if (!resumed) {
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    }`;

  async function startWorker(name: string): Promise<Side> {
    const side = await open();
    const handle = createProgramWorker({
      client: side.redis.client,
      projectFolder: join(folder, "project"),
      modelFolder: join(folder, name, "model"),
      cacheDir: join(folder, name, "cache"),
      scratchDir: join(folder, name, "scratch"),
      threads: 5,
      killAfterMs: 5000,
      onNote: (note) => void notes.push(note),
    });
    side.queue.process(kindOf(model), handle, { exclusive: false });
    return side;
  }

  interface Started {
    runId: string;
    outputDir: string;
    messages: unknown[];
    abort: AbortController;
    end: Promise<ProgramEnd>;
  }

  /** As a server would: the job names a snapshot in the output folder, and an adapter elsewhere. */
  async function startRun(side: Side, change: object = {}, runId: string = randomUUID()): Promise<Started> {
    const outputDir = join(folder, "server", "runs", runId);
    const adapter = join(folder, "server", "adapters", "1");
    for (const path of [outputDir, adapter]) mkdirSync(path, { recursive: true });
    const snapshot = join(outputDir, "snapshot.jsonl");
    writeFileSync(snapshot, "one\ntwo\n");
    writeFileSync(join(adapter, "weights"), weights);
    const jobFile = join(outputDir, "job.json");
    const job = { runId, model: join(folder, "server", "model"), snapshot, adapter, outputDir, threads: 1, ...change };
    writeFileSync(jobFile, JSON.stringify(job));
    const abort = new AbortController();
    const messages: unknown[] = [];
    const runner = createRemoteRunner({
      queue: side.queue,
      client: side.redis.client,
      projectFolder: join(folder, "project"),
      modelFolder: join(folder, "server", "model"),
      modelSha256: model,
      cacheDir: undefined,
      onNote: (note) => void notes.push(note),
    });
    const end = runner.run({
      entry: join(folder, "project", "trainer", "worker.ts"),
      jobFile,
      runId,
      inputs: [snapshot, adapter],
      outputDir,
      signal: abort.signal,
      onMessage: async (message) => void messages.push(message),
    });
    end.catch(() => undefined);
    return { runId, outputDir, messages, abort, end };
  }

  /** More than one piece. */
  const weights = randomBytes(5 * 1024 ** 2);
  const sha256 = (bytes: Buffer | string) => createHash("sha256").update(bytes).digest("hex");

  it("gets its files and its own machine's folders, and what it reports and writes comes back", async () => {
    writeProgram(`
      const { createHash } = await import("node:crypto");
      const weights = readFileSync(job.adapter + "/weights");
      process.send({ job, snapshot: readFileSync(job.snapshot, "utf8") });
      process.send({ value: NaN, sha256: createHash("sha256").update(weights).digest("hex") });
      const { mkdirSync } = await import("node:fs");
      mkdirSync(output("adapter"));
      writeFileSync(output("adapter/weights"), weights);
      writeFileSync(output("empty"), "");
      writeFileSync(output("half.partial"), "not yet");
      process.send({ adapterFolder: output("adapter") });`);
    await startWorker("worker");
    const side = await open();
    const { outputDir, messages, end } = await startRun(side);
    expect(await end).toEqual({ code: 0, signal: null, said: "" });
    // The worker has the job with its own paths, which come back as this machine's, and with its own threads.
    const model = join(folder, "server", "model");
    expect(messages).toEqual([
      { job: expect.objectContaining({ model, outputDir, threads: 5 }), snapshot: "one\ntwo\n" },
      { value: null, sha256: sha256(weights) },
      { adapterFolder: join(outputDir, "adapter") },
    ]);
    expect(sha256(readFileSync(join(outputDir, "adapter", "weights")))).toBe(sha256(weights));
    expect(readFileSync(join(outputDir, "empty"), "utf8")).toBe("");
    expect(existsSync(join(outputDir, "half.partial"))).toBe(false);
  });

  it("ends as it ended there, its last words included", async () => {
    writeProgram(`console.error("it was like this"); process.exit(3);`);
    await startWorker("worker");
    const side = await open();
    expect(await (await startRun(side)).end).toEqual({ code: 3, signal: null, said: "it was like this" });
  });

  it("goes on elsewhere with its checkpoint when its worker closes, and the runner sees one run", async () => {
    writeProgram(patient);
    const first = await startWorker("first");
    const run = await startRun(await open());
    await expect.poll(() => run.messages, until).toEqual([{ resumed: false }]);
    await first.queue.close();
    expect(notes).toContain(`Lets go of run ${run.runId}; whoever takes it next goes on with it`);
    await startWorker("second");
    expect(await run.end).toMatchObject({ code: 0 });
    expect(run.messages).toEqual([{ resumed: false }, { resumed: true }]);
    expect(readFileSync(join(run.outputDir, "checkpoint.bin"), "utf8")).toBe("half way");
  });

  it("goes on when its server closes, which finds it again with all it has said", async () => {
    writeProgram(`
      process.send("before");
      while (!existsSync(job.gate)) await new Promise((resolve) => setTimeout(resolve, 20));
      process.send("after");`);
    // Below the model's folder, of which each side has its own.
    const gate = join(folder, "server", "model", "open");
    mkdirSync(dirname(gate), { recursive: true });
    mkdirSync(join(folder, "worker", "model"), { recursive: true });
    await startWorker("worker");
    const first = await open();
    const before = await startRun(first, { gate });
    await expect.poll(() => before.messages, until).toEqual(["before"]);
    before.abort.abort(new JobInterruptedError("closing"));
    expect(await before.end).toEqual({ code: null, signal: null, said: "" });
    await first.queue.close();
    writeFileSync(join(folder, "worker", "model", "open"), "");
    const after = await startRun(await open(), { gate }, before.runId);
    expect(await after.end).toMatchObject({ code: 0 });
    expect(after.messages).toEqual(["before", "after"]);
  });

  it("is stopped when its run is cancelled, and what it shared is forgotten", async () => {
    writeProgram(patient);
    const worker = await startWorker("worker");
    const run = await startRun(await open());
    const { outputs } = taskKeys(`${run.runId}/trainer/worker.ts`);
    await expect.poll(() => worker.redis.client.hkeys(outputs), until).toEqual(["checkpoint.bin"]);
    run.abort.abort(new JobInterruptedError("cancelled"));
    expect(await run.end).toEqual({ code: null, signal: null, said: "" });
    await expect.poll(() => notes, until).toContain(`Run ${run.runId} was cancelled`);
    await expect.poll(() => worker.redis.client.exists(outputs), until).toBe(0);
  });

  it("is started anew, from what it shared, when its run is tried again after a crash", async () => {
    writeProgram(`
      process.send({ resumed: existsSync(output("checkpoint.bin")) });
      if (!existsSync(output("checkpoint.bin"))) {
        writeFileSync(output("checkpoint.bin"), "half way");
        process.kill(process.pid, "SIGKILL");
        await new Promise((resolve) => setTimeout(resolve, 600_000));
      }`);
    await startWorker("worker");
    const side = await open();
    const first = await startRun(side);
    expect(await first.end).toMatchObject({ code: null, signal: "SIGKILL" });
    const second = await startRun(side, {}, first.runId);
    expect(await second.end).toMatchObject({ code: 0 });
    expect(second.messages).toEqual([{ resumed: true }]);
    // Asked for once more, the end is still known: a server may die between hearing of it and writing it down.
    const third = await startRun(side, {}, first.runId);
    expect(await third.end).toMatchObject({ code: 0 });
    expect(third.messages).toEqual([{ resumed: true }]);
  });

  it("is refused before anything is queued when its job names what no worker would find", async () => {
    writeProgram("");
    const side = await open();
    const { end } = await startRun(side, { reward: "/somewhere/else" });
    await expect(end).rejects.toThrow(/reward is a path of this machine/);
  });

  it("may not be any file of the worker's: a job that names another program is refused", async () => {
    writeProgram("");
    const worker = await startWorker("worker");
    const payload = { task: "t", runId: "r", program: "server/main.ts", job: {}, jobName: "job.json", inputs: [] };
    const elsewhere = { ...payload, program: "trainer/worker.ts", jobName: "../../job.json" };
    for (const each of [payload, elsewhere]) {
      const id = await worker.queue.add(kindOf(model), each, { maxAttempts: 3 });
      await expect
        .poll(() => worker.queue.get(id), until)
        .toMatchObject({ state: "failed", attempts: 1, lastError: expect.stringMatching(/another version/) });
    }
  });

  it("is not written of by a worker that has lost it", async () => {
    const { client } = (await open()).redis;
    const stale = await fenceTask(client, "run/trainer");
    expect(await stale.push("list", "first")).toBe(1);
    const current = await fenceTask(client, "run/trainer");
    await expect(stale.push("list", "late")).rejects.toThrow(TaskTakenOverError);
    await expect(stale.set("hash", new Map([["a", "late"]]))).rejects.toThrow(TaskTakenOverError);
    await current.set("hash", new Map([["a", "current"]]));
    expect(await client.lrange("list", 0, -1)).toEqual(["first"]);
    expect(await client.hgetall("hash")).toEqual({ a: "current" });
  });

  it("gets a shared file whole or not at all", async () => {
    const { client } = (await open()).redis;
    const files = createSharedFiles(client, "test");
    const source = join(folder, "source");
    const target = join(folder, "target");
    writeFileSync(source, weights);
    const file = await files.put(source);
    expect(file).toEqual({ sha256: sha256(weights), size: weights.length });
    const [piece] = await client.keys(`*:test:${file.sha256}:1`);
    await client.set(piece as string, "tampered");
    await expect(files.fetch(file, target)).rejects.toThrow(new RegExp(`expected ${file.sha256}`));
    await client.del(piece as string);
    await expect(files.fetch(file, target)).rejects.toThrow(/no longer shared/);
    expect(existsSync(target)).toBe(false);
    // Shared once more, what is missing is there again.
    await files.put(source);
    await files.fetch(file, target);
    expect(sha256(readFileSync(target))).toBe(file.sha256);
    expect(await client.pttl(piece as string)).toBeGreaterThan(0);
    await files.remove(file);
    expect(await client.keys("*:test:*")).toEqual([]);
  });
});
