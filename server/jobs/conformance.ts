import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JobInterruptedError, type JobStatus, type NamedJobQueue, UnretryableJobError } from "./named-queue.ts";

export interface QueueDriver {
  /** A further queue over the same stored jobs, as another process or a restarted one would open it. */
  open(): Promise<NamedJobQueue>;
  /** Closes what is open and drops the stored jobs. */
  dispose(): Promise<void>;
}

async function reached(queue: NamedJobQueue, id: string, state: JobStatus["state"]): Promise<JobStatus> {
  await expect.poll(async () => (await queue.get(id))?.state, { timeout: 5000, interval: 10 }).toBe(state);
  const status = await queue.get(id);
  if (status === null) throw new Error(`Job ${id} is gone`);
  return status;
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
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
      await expect.poll(() => log.length, { timeout: 5000 }).toBe(6);
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
      await expect.poll(() => done, { timeout: 8000 }).toBe(12);
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
      await expect.poll(() => started.length, { timeout: 5000 }).toBe(2);
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
  });
}
