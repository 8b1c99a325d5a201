import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JobInterruptedError, type JobStatus, type NamedJobQueue, UnretryableJobError } from "./named-queue.ts";
import { mostLostWorkers, type QueueBackend } from "./queue-backend.ts";
import type { QueueLoopOptions } from "./queue-loop.ts";

export interface QueueDriver {
  /** A further queue over the same stored jobs, as another process or a restarted one would open it. */
  open(options?: QueueLoopOptions): Promise<NamedJobQueue>;
  /** What another process would have, without the loop that keeps its locks. */
  openBackend(lockMs: number): Promise<QueueBackend>;
  /**
   * A module that gives a queue over the same jobs as `queue`; for processes that are killed. Its locks hold 1500 ms
   * where nothing tells that their process is gone.
   */
  module(): string;
  /** Closes what is open and drops the stored jobs. */
  dispose(): Promise<void>;
}

async function reached(queue: NamedJobQueue, id: string, state: JobStatus["state"]): Promise<JobStatus> {
  await expect.poll(async () => (await queue.get(id))?.state, { timeout: 20_000, interval: 10 }).toBe(state);
  const status = await queue.get(id);
  if (status === null) throw new Error(`Job ${id} is gone`);
  return status;
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

const until = { timeout: 20_000, interval: 10 };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A process that takes a job of the kind "training", says so, and never ends it. */
async function startHangingWorker(module: string): Promise<ChildProcess> {
  const script = `${module}
    queue.process("training", () => new Promise(() => process.send("working")));`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await once(child, "message");
  return child;
}

/** What every driver of the jobs port must do. Drivers under test retry and poll within some 20 ms. */
export function describeJobQueue(name: string, createDriver: () => Promise<QueueDriver>): void {
  describe(`job queue on ${name}`, () => {
    let driver: QueueDriver;
    let queue: NamedJobQueue;
    beforeEach(async () => {
      driver = await createDriver();
      queue = await driver.open();
    });
    afterEach(() => driver.dispose());

    it("hands over the payload and the number of the attempt, then calls the job done", async () => {
      const seen: unknown[] = [];
      queue.process("echo", async (job) => void seen.push([job.id, job.kind, job.payload, job.attempt]));
      const id = await queue.add("echo", { text: "hello", list: [1, 2] });
      await reached(queue, id, "done");
      expect(seen).toEqual([[id, "echo", { text: "hello", list: [1, 2] }, 1]]);
    });

    it("works on one job of a kind at a time, oldest first, and on kinds side by side", async () => {
      const log: string[] = [];
      const slow = async (job: { payload: unknown }) => {
        log.push(`start ${job.payload}`);
        await new Promise((resolve) => setTimeout(resolve, 30));
        log.push(`end ${job.payload}`);
      };
      for (const payload of ["a", "b", "c"]) await queue.add("one", payload);
      queue.process("one", slow);
      const blocked = new Promise((_, reject) => setTimeout(() => reject(new Error("the other kind waited")), 4000));
      const other = new Promise<void>((resolve) => queue.process("two", async () => resolve()));
      await queue.add("two", null);
      await Promise.race([other, blocked]);
      await expect.poll(() => log.length, { timeout: 20_000 }).toBe(6);
      expect(log).toEqual(["start a", "end a", "start b", "end b", "start c", "end c"]);
    });

    it("never lets two queues work on one kind at once", async () => {
      const second = await driver.open();
      let active = 0;
      let most = 0;
      let done = 0;
      const handler = async () => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setTimeout(resolve, 5));
        active -= 1;
        done += 1;
      };
      queue.process("shared", handler);
      second.process("shared", handler);
      for (let index = 0; index < 12; index++) await (index % 2 === 0 ? queue : second).add("shared", index);
      await expect.poll(() => done, { timeout: 20_000 }).toBe(12);
      expect(most).toBe(1);
    });

    it("adds a job of the same id once", async () => {
      expect(await queue.add("named", "first", { id: "run-1" })).toBe("run-1");
      expect(await queue.add("named", "second", { id: "run-1" })).toBe("run-1");
      expect((await queue.list("named")).map((job) => job.payload)).toEqual(["first"]);
    });

    it("tries again until the attempts are used up, then keeps the last error", async () => {
      const attempts: number[] = [];
      queue.process("bad", async (job) => {
        attempts.push(job.attempt);
        throw new Error(`broke ${job.attempt}`);
      });
      const id = await queue.add("bad", null, { maxAttempts: 3 });
      expect(await reached(queue, id, "failed")).toMatchObject({ attempts: 3, lastError: "broke 3" });
      expect(attempts).toEqual([1, 2, 3]);
    });

    it("does not try again what cannot succeed", async () => {
      queue.process("hopeless", async () => {
        throw new UnretryableJobError("never");
      });
      const id = await queue.add("hopeless", null, { maxAttempts: 3 });
      expect(await reached(queue, id, "failed")).toMatchObject({ attempts: 1, lastError: "never" });
    });

    it("does not start a job before its time, and lets others pass meanwhile", async () => {
      const started: unknown[] = [];
      queue.process("later", async (job) => void started.push(job.payload));
      await queue.add("later", "delayed", { notBefore: new Date(Date.now() + 150) });
      await queue.add("later", "now");
      await expect.poll(() => started.length, { timeout: 20_000 }).toBe(2);
      expect(started).toEqual(["now", "delayed"]);
    });

    it("cancels a waiting job, which then never starts", async () => {
      const id = await queue.add("quiet", null);
      expect(await queue.cancel(id)).toBe(true);
      const started: string[] = [];
      queue.process("quiet", async (job) => void started.push(job.id));
      const next = await queue.add("quiet", null);
      await reached(queue, next, "done");
      expect(started).toEqual([next]);
      expect((await queue.get(id))?.state).toBe("cancelled");
    });

    it("cancels a running job by its signal and goes on with the next", async () => {
      let reason: unknown;
      queue.process("stoppable", async (job, signal) => {
        if (job.payload === "next") return;
        await untilAborted(signal).catch((error: unknown) => {
          reason = error;
          throw error;
        });
      });
      const id = await queue.add("stoppable", "first", { maxAttempts: 3 });
      await reached(queue, id, "active");
      const next = await queue.add("stoppable", "next");
      expect(await queue.cancel(id)).toBe(true);
      await reached(queue, next, "done");
      expect(reason).toBeInstanceOf(JobInterruptedError);
      expect(reason).toMatchObject({ interruption: "cancelled" });
      expect((await queue.get(id))?.state).toBe("cancelled");
      expect(await queue.cancel(id)).toBe(false);
    });

    it("says that it cannot cancel what has ended or never was", async () => {
      queue.process("short", async () => undefined);
      const id = await queue.add("short", null);
      await reached(queue, id, "done");
      expect(await queue.cancel(id)).toBe(false);
      expect(await queue.cancel("no-such-job")).toBe(false);
    });

    it("lets go of a running job when it closes; the next queue takes it up and the attempt does not count", async () => {
      let interruption: string | undefined;
      queue.process("long", async (_job, signal) => {
        await untilAborted(signal).catch((error: unknown) => {
          if (error instanceof JobInterruptedError) interruption = error.interruption;
          throw error;
        });
      });
      const id = await queue.add("long", { keep: "me" }, { maxAttempts: 1 });
      await reached(queue, id, "active");
      await queue.close();
      expect(interruption).toBe("closing");
      const reopened = await driver.open();
      const seen: unknown[] = [];
      reopened.process("long", async (job) => void seen.push([job.payload, job.attempt]));
      await reached(reopened, id, "done");
      expect(seen).toEqual([[{ keep: "me" }, 1]]);
    });

    it("lists the jobs of a kind, newest first", async () => {
      for (const id of ["a", "b", "c"]) await queue.add("many", id, { id });
      await queue.add("other", null);
      await queue.cancel("b");
      const listed = await queue.list("many");
      expect(listed.map(({ id, state }) => [id, state])).toEqual([
        ["c", "waiting"],
        ["b", "cancelled"],
        ["a", "waiting"],
      ]);
      expect((await queue.list("many", 2)).map(({ id }) => id)).toEqual(["c", "b"]);
    });

    it("keeps what a job reports, and tells those who watch it, in whatever process", async () => {
      const other = await driver.open();
      const told: unknown[] = [];
      await queue.add("long", null, { id: "watched" });
      const stop = other.watch("watched", ({ state, progress }) => told.push([state, progress]));
      await expect.poll(() => told, until).toEqual([["waiting", null]]);
      let goOn = () => {};
      queue.process("long", async (job) => {
        await job.report({ step: 1 });
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      });
      await expect.poll(() => told.at(-1), until).toEqual(["active", { step: 1 }]);
      expect((await other.get("watched"))?.progress).toEqual({ step: 1 });
      goOn();
      await expect.poll(() => told.at(-1), until).toEqual(["done", { step: 1 }]);
      stop();
    });

    it("lets a job that failed try again before the next of its kind", async () => {
      const log: string[] = [];
      await queue.add("line", "first", { maxAttempts: 2 });
      const last = await queue.add("line", "second");
      queue.process("line", async (job) => {
        log.push(`${job.payload} ${job.attempt}`);
        if (job.payload === "first" && job.attempt === 1) throw new Error("once more");
      });
      await reached(queue, last, "done");
      expect(log).toEqual(["first 1", "first 2", "second 1"]);
    });

    it("works on a kind that is not exclusive side by side, one job in each queue", async () => {
      const queues = [queue, await driver.open()];
      let active = 0;
      let most = 0;
      let meet = () => {};
      const met = new Promise<void>((resolve) => {
        meet = resolve;
      });
      for (const payload of [1, 2, 3, 4]) await queue.add("shared", payload);
      for (const each of queues) {
        each.process(
          "shared",
          async () => {
            active += 1;
            most = Math.max(most, active);
            if (active === queues.length) meet();
            await met;
            active -= 1;
          },
          { exclusive: false },
        );
      }
      await expect
        .poll(async () => (await queue.list("shared")).map(({ state }) => state), until)
        .toEqual(["done", "done", "done", "done"]);
      expect(most).toBe(2);
    });

    it("lets others pass a job of a kind that is not exclusive while it waits to try again", async () => {
      const slow = await driver.open({ retryDelayMs: () => 300 });
      const log: string[] = [];
      await slow.add("shared", "first", { id: "first", maxAttempts: 2 });
      await slow.add("shared", "second");
      slow.process(
        "shared",
        async (job) => {
          log.push(`${job.payload} ${job.attempt}`);
          if (job.payload === "first" && job.attempt === 1) throw new Error("once more");
        },
        { exclusive: false },
      );
      await reached(slow, "first", "done");
      expect(log).toEqual(["first 1", "second 1", "first 2"]);
    });

    it("cancels a job that another process works on, and starts no other before that one has let go", async () => {
      const worker = await driver.open();
      let letGo = () => {};
      let told: unknown;
      worker.process("line", async (job, signal) => {
        if (job.payload === "next") return;
        await untilAborted(signal).catch((reason: unknown) => {
          told = reason;
        });
        await new Promise<void>((resolve) => {
          letGo = resolve;
        });
      });
      await queue.add("line", "first", { id: "first" });
      await reached(queue, "first", "active");
      await queue.add("line", "next", { id: "next" });
      queue.process("line", async () => undefined);
      expect(await queue.cancel("first")).toBe(true);
      await expect.poll(() => told, until).toMatchObject({ interruption: "cancelled" });
      await sleep(100);
      expect((await queue.get("next"))?.state).toBe("waiting");
      letGo();
      await reached(queue, "next", "done");
      expect((await queue.get("first"))?.state).toBe("cancelled");
    });

    it("cancels a job that waits to be tried again, and the next need not wait for it", async () => {
      const slow = await driver.open({ retryDelayMs: () => 600_000 });
      slow.process("line", async (job) => {
        if (job.payload === "first") throw new Error("later");
      });
      await slow.add("line", "first", { id: "first", maxAttempts: 2 });
      await expect.poll(async () => (await slow.get("first"))?.lastError, until).toBe("later");
      await slow.add("line", "next", { id: "next" });
      await sleep(60);
      expect((await slow.get("next"))?.state).toBe("waiting");
      expect(await slow.cancel("first")).toBe(true);
      await reached(slow, "next", "done");
    });

    describe("a worker that is gone", () => {
      it("loses its job to another queue, as a further attempt", async () => {
        await queue.add("training", { runId: "run-1" }, { id: "run-1", maxAttempts: 3 });
        const child = await startHangingWorker(driver.module());
        const attempts: number[] = [];
        queue.process("training", async (job) => void attempts.push(job.attempt));
        await sleep(2000);
        expect(attempts).toEqual([]);
        child.kill("SIGKILL");
        await once(child, "exit");
        await expect.poll(() => attempts, until).toEqual([2]);
        await reached(queue, "run-1", "done");
      });

      it("cannot keep or settle a job that it has slept through", async () => {
        const sleeper = await driver.openBackend(30);
        await queue.add("training", null, { id: "run-1" });
        const held = await sleeper.claim("training", true);
        if (held === null) throw new Error("there was a job to take");
        expect(await sleeper.renew(held)).toBe("kept");
        await sleep(60);
        const other = await driver.openBackend(60_000);
        expect(await other.claim("training", true)).toMatchObject({ id: "run-1", attempts: 2 });
        expect(await sleeper.renew(held)).toBe("lost");
        await sleeper.settle(held, { state: "done" });
        expect((await queue.get("run-1"))?.state).toBe("active");
        expect(await sleeper.claim("training", true)).toBeNull();
      });

      it("is not followed by others for ever: a job that takes them all down is given up", async () => {
        await queue.add("training", null, { id: "poison" });
        for (let worker = 0; worker <= mostLostWorkers; worker++) {
          expect(await (await driver.openBackend(1)).claim("training", true)).toMatchObject({ attempts: worker + 1 });
          await sleep(5);
        }
        expect(await (await driver.openBackend(1)).claim("training", true)).toBeNull();
        expect(await queue.get("poison")).toMatchObject({ state: "failed", lastError: expect.stringMatching(/died/) });
      });
    });

    describe("a schedule", () => {
      /** Local time. */
      const at = (day: number, hour: number, minute: number) => new Date(2026, 4, day, hour, minute);
      let time: Date;
      const clock = { now: () => time };
      const nightly = { kind: "retrain", cron: "0 3 * * *", payload: { why: "cron" } };

      it("adds one job at each of its times, however many queues look", async () => {
        time = at(1, 2, 59);
        const queues = [await driver.open(clock), await driver.open(clock), await driver.open(clock)];
        const seen: unknown[] = [];
        for (const each of queues) {
          each.process("retrain", async (job) => void seen.push(job.payload));
          await each.schedule("nightly", nightly);
        }
        await sleep(60);
        expect(seen).toEqual([]);
        for (const day of [1, 2]) {
          time = at(day, 3, 0);
          await expect.poll(() => seen.length, until).toBe(day);
          await sleep(60);
        }
        expect(seen).toEqual([nightly.payload, nightly.payload]);
        expect(await queue.list("retrain")).toHaveLength(2);
      });

      it("survives a restart, and makes up once for the times that passed meanwhile", async () => {
        time = at(1, 12, 0);
        const before = await driver.open(clock);
        await before.schedule("nightly", nightly);
        await before.close();
        time = at(6, 12, 0);
        const after = await driver.open(clock);
        // Only queues that process the kind add its jobs.
        await sleep(60);
        expect(await after.list("retrain")).toEqual([]);
        let runs = 0;
        after.process("retrain", async () => {
          runs += 1;
        });
        await after.schedule("nightly", nightly);
        await expect.poll(() => runs, until).toBe(1);
        await sleep(60);
        expect(runs).toBe(1);
        expect(await after.schedules()).toEqual([{ key: "nightly", ...nightly, nextAt: at(7, 3, 0) }]);
      });

      it("can be changed, listed and removed", async () => {
        time = at(1, 12, 0);
        const queue = await driver.open(clock);
        await queue.schedule("nightly", nightly);
        await queue.schedule("hourly", { kind: "sweep", cron: "0 * * * *" });
        await queue.schedule("nightly", { ...nightly, cron: "30 4 * * *" });
        expect(await queue.schedules()).toEqual([
          { key: "hourly", kind: "sweep", cron: "0 * * * *", payload: null, nextAt: at(1, 13, 0) },
          { key: "nightly", ...nightly, cron: "30 4 * * *", nextAt: at(2, 4, 30) },
        ]);
        expect(await queue.unschedule("nightly")).toBe(true);
        expect(await queue.unschedule("nightly")).toBe(false);
        expect((await queue.schedules()).map(({ key }) => key)).toEqual(["hourly"]);
        await expect(queue.schedule("bad", { kind: "sweep", cron: "now and then" })).rejects.toThrow(/"now and then"/);
      });
    });
  });
}
