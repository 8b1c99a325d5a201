/** A disk that fills up ends a run clearly and costs nothing that was saved before. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TrainingEvent } from "./contract.ts";
import { startWorker, stopAt, weightsOf, writeSampleJob, writeSampleRuns } from "./sample-runs.ts";

let folder: string;
let expected: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "disk-full-"));
  await writeSampleRuns(folder);
  await startWorker(await writeSampleJob(folder, "whole", "ppo")).ended;
  expected = weightsOf(join(folder, "whole"));
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** Room for reports, but not for a checkpoint. */
const tooLittle = 32_768;

/** Stops a run at a checkpoint, starts it again where it cannot write another, and then as if there were room again. */
async function fillUp(
  path: string,
  outputDir: string,
  system: string,
  startFull: () => Promise<TrainingEvent[]>,
): Promise<void> {
  expect((await startWorker(path, stopAt(5, "SIGTERM")).ended).code).toBe(75);
  const checkpoint = join(outputDir, "checkpoint.safetensors");
  const kept = readFileSync(checkpoint);
  expect(kept.length).toBeGreaterThan(tooLittle);
  const events = await startFull();
  expect(events.at(-1)).toMatchObject({
    type: "failed",
    error: { code: "cannot_save", message: expect.stringContaining(system) },
  });
  expect(readFileSync(checkpoint).equals(kept)).toBe(true);
  expect(readdirSync(outputDir)).not.toContain("adapter");
  expect(readdirSync(outputDir).filter((name) => name.endsWith(".new"))).toEqual([]);
}

describe("a run that cannot save", { timeout: 500_000 }, () => {
  it("keeps its checkpoint at a limit of the size of files, and goes on from it", async () => {
    const path = await writeSampleJob(folder, "limited", "ppo");
    const outputDir = join(folder, "limited");
    await fillUp(path, outputDir, "EFBIG", async () => {
      const { events, ended } = startWorker(path, undefined, tooLittle);
      expect((await ended).code).toBe(1);
      return events;
    });
    expect((await startWorker(path).ended).code).toBe(0);
    expect(weightsOf(outputDir).equals(expected)).toBe(true);
  });

  it("keeps its checkpoint on a full file system, and goes on once there is room", async ({ skip }) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
    if (mounted.status !== 0) {
      const why = mounted.error?.message ?? mounted.stderr.toString().trim();
      skip(`no small file system could be mounted here: ${why}`);
    }
    try {
      const outputDir = join(disk, "run");
      const path = await writeSampleJob(folder, "filled", "ppo", { outputDir });
      const filler = join(disk, "filler");
      await fillUp(path, outputDir, "ENOSPC", async () => {
        const { bavail, bsize } = statfsSync(disk);
        writeFileSync(filler, Buffer.alloc(bavail * bsize - tooLittle));
        const { events, ended } = startWorker(path);
        expect((await ended).code).toBe(1);
        return events;
      });
      expect(statSync(filler).size).toBeGreaterThan(0);
      rmSync(filler);
      expect((await startWorker(path).ended).code).toBe(0);
      expect(weightsOf(outputDir).equals(expected)).toBe(true);
    } finally {
      spawnSync("umount", [disk]);
    }
  });
});
