import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TrainingEvent } from "./contract.ts";
import { linesOf, startWorker, stopAt, weightsOf, writeSampleJob, writeSampleRuns } from "./sample-runs.ts";

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "worker-"));
  await writeSampleRuns(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("the trainer process", { timeout: 500_000 }, () => {
  it("reports over IPC and leaves the adapter, whatever stopped it in between", async () => {
    const whole = startWorker(await writeSampleJob(folder, "whole", "ppo"));
    expect(await whole.ended).toEqual({ code: 0, signal: null });
    expect(whole.events.map(({ type }) => type).filter((type) => type !== "metric")).toEqual(["started", "succeeded"]);

    const path = await writeSampleJob(folder, "stopped", "ppo");
    expect(await startWorker(path, stopAt(5, "SIGTERM")).ended).toEqual({ code: 75, signal: null });
    expect(existsSync(join(folder, "stopped", "adapter"))).toBe(false);
    expect(await startWorker(path, stopAt(12, "SIGKILL")).ended).toEqual({ code: null, signal: "SIGKILL" });
    expect(await startWorker(path).ended).toEqual({ code: 0, signal: null });
    expect(weightsOf(join(folder, "stopped")).equals(weightsOf(join(folder, "whole")))).toBe(true);

    const logged = linesOf<TrainingEvent>(join(folder, "stopped"), "metrics.jsonl");
    const steps = logged.flatMap((event) => (event.type === "metric" ? event.step : []));
    expect(steps).toEqual([...new Set(steps)]);
  });

  it.each<[string, object, string, RegExp]>([
    ["no model", { model: "nowhere" }, "bad_checkpoint", /config\.json/],
    ["another snapshot", { snapshotSha256: "0".repeat(64) }, "tampered_snapshot", /expected sha256 000.*, got/],
    ["no snapshot", { snapshot: "nowhere.jsonl" }, "bad_snapshot", /nowhere\.jsonl: cannot be read/],
    ["a setting of the other algorithm", { settings: { tokensPerStep: 100 } }, "bad_job", /tokensPerStep/],
  ])("says that it cannot go on with %s", async (name, changes, code, message) => {
    const { events, ended } = startWorker(await writeSampleJob(folder, name, "ppo", changes));
    expect((await ended).code).toBe(1);
    expect(events).toEqual([{ type: "failed", runId: name, error: { code, message: expect.stringMatching(message) } }]);
  });
});
