/** Runs that are killed at random points come to the same bits as runs that are left alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TrainingEvent, TrainingStep } from "./contract.ts";
import { seededRandom } from "./pretrain/shuffle.ts";
import { linesOf, type SampleRun, startWorker, weightsOf, writeSampleJob, writeSampleRuns } from "./sample-runs.ts";

const kills = 3;

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kill-"));
  await writeSampleRuns(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("a run that is killed at random points", { timeout: 500_000 }, () => {
  it.each<[SampleRun, number]>([
    ["ppo", 1],
    ["fresh ppo", 2],
    ["sft", 3],
  ])("comes to the same adapter and reports each step once: %s", async (kind, seed) => {
    const [whole, killed] = [`whole ${kind}`, `killed ${kind}`];
    const began = performance.now();
    expect((await startWorker(await writeSampleJob(folder, whole, kind)).ended).code).toBe(0);
    const duration = performance.now() - began;

    const path = await writeSampleJob(folder, killed, kind);
    const random = seededRandom(seed);
    for (let kill = 0; kill < kills; kill++) {
      const { child, ended } = startWorker(path);
      // Anywhere from while it loads to its last words.
      const timer = setTimeout(() => child.kill("SIGKILL"), (0.2 + 0.7 * random()) * duration);
      await ended;
      clearTimeout(timer);
    }
    expect((await startWorker(path).ended).code).toBe(0);

    const [expected, found] = [join(folder, whole), join(folder, killed)];
    expect(weightsOf(found).equals(weightsOf(expected))).toBe(true);
    expect(linesOf<TrainingStep>(found, "steps.jsonl")).toEqual(linesOf<TrainingStep>(expected, "steps.jsonl"));
    const stepsOf = (outputDir: string) =>
      linesOf<TrainingEvent>(outputDir, "metrics.jsonl").flatMap((event) =>
        event.type === "metric" ? event.step : [],
      );
    expect(stepsOf(found)).toEqual(stepsOf(expected));
  });
});
