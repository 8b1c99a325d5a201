import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAdapterRegistry } from "../adapters/registry.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import type { Artifacts, FanOut } from "../ports.ts";
import type { AlertEvent } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "../training/sample-log.ts";
import { insertAdapter, insertRun } from "../training/sample-run.ts";
import { createTrainingService } from "../training/service.ts";
import { writeSnapshot } from "../training/snapshot.ts";
import { createErasureService } from "./service.ts";

// Some of these tests start a trainer, which is a start of Node.
vi.setConfig({ testTimeout: 30_000 });

const secret = "my sister Philomena lives at number nine";
let folder: string;
let runsFolder: string;
let store: Store;
let artifacts: Artifacts;
let alerts: AlertEvent[];
const fanOut: FanOut = {
  chat: () => undefined,
  ops: (event, payload) => {
    if (event === "alert") alerts.push(payload as AlertEvent);
  },
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-erasure-"));
  runsFolder = join(folder, "runs");
  store = await openStore(join(folder, "rejoinder.sqlite"));
  artifacts = createFolderArtifacts(join(folder, "artifacts"));
  alerts = [];
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const ofDora = { accepted: { owner: "dora", messages: [{ role: "user" as const, content: secret }] } };

/** A run that was given these exchanges, with the files that a trainer leaves. */
async function trainedOn(
  runId: string,
  exchanges: string[],
  state: "succeeded" | "failed" = "succeeded",
): Promise<string> {
  await insertRun(store, runId, { state });
  const run = join(runsFolder, runId);
  mkdirSync(join(run, "adapter"), { recursive: true });
  await writeSnapshot({
    store,
    runId,
    file: join(run, "snapshot.jsonl"),
    limit: 100,
    rejudge: (logged) => logged,
    rewardVersion: "reward-1",
    usedBy: [],
    only: new Set(exchanges),
  });
  writeFileSync(join(run, "job.json"), "{}\n");
  writeFileSync(join(run, "metrics.jsonl"), '{"type":"started"}\n');
  writeFileSync(join(run, "steps.jsonl"), `${JSON.stringify({ step: 1, exchanges })}\n`);
  writeFileSync(join(run, "checkpoint.safetensors"), secret);
  writeFileSync(join(run, "failed-minibatch.json"), JSON.stringify({ rows: [{ text: secret }] }));
  writeFileSync(join(run, "adapter", "rejoinder.json"), JSON.stringify({ probe: secret }));
  return run;
}

const service = (change: Partial<Parameters<typeof createErasureService>[0]> = {}) =>
  createErasureService({ store, artifacts, fanOut, runsFolder, training: null, ...change });

/** Files below a folder that hold a text, database and write-ahead log among them. */
function filesWith(text: string, below = folder): string[] {
  return readdirSync(below, { recursive: true, encoding: "utf8" }).filter((name) => {
    const path = join(below, name);
    return statSync(path).isFile() && readFileSync(path).includes(text);
  });
}

describe("erasing a person's data", () => {
  beforeEach(async () => {
    await logExchange(store, "d1", ofDora);
    await logExchange(store, "d2", ofDora);
    await logExchange(store, "a1");
    await logExchange(store, "a2");
    await store.annotations.put("d1", "ben", { label: "toxic", note: secret }, new Date());
    await store.annotations.put("a1", "ben", { label: "good" }, new Date());
  });

  it("leaves none of it in the database, in its log or in the folders of runs, and everyone else's alone", async () => {
    const run = await trainedOn("run", ["d1", "a1"]);
    // Whatever else a run may have written down about an exchange that it was not given, a gate's prompts for one.
    const other = await trainedOn("other", ["a2"]);
    writeFileSync(join(other, "held-out.jsonl"), `{"id":"d2","text":"${secret}"}\n{"id":"a1"}\n`);
    rmSync(join(other, "checkpoint.safetensors"));
    rmSync(join(other, "failed-minibatch.json"));
    rmSync(join(other, "adapter"), { recursive: true });
    expect(filesWith(secret)).not.toEqual([]);

    expect(await service().erase("dora")).toEqual({
      conversations: 2,
      exchanges: 2,
      annotations: 1,
      runs: ["run"],
      restarted: [],
      adapters: [],
      live: false,
      pending: false,
    });
    expect(filesWith(secret)).toEqual([]);
    expect(filesWith("dora")).toEqual([]);
    expect((await store.exchangeQueries.page({}, 10, null)).items.map(({ id }) => id)).toEqual(["a2", "a1"]);
    expect(await store.annotations.list()).toMatchObject([{ exchangeId: "a1" }]);

    expect(readdirSync(run).sort()).toEqual([
      "job.json",
      "metrics.jsonl",
      "snapshot.jsonl",
      "snapshot.jsonl.sha256",
      "steps.jsonl",
    ]);
    const snapshot = readFileSync(join(run, "snapshot.jsonl"), "utf8");
    expect(
      snapshot
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["a1"]);
    const hash = createHash("sha256").update(snapshot).digest("hex");
    expect(readFileSync(join(run, "snapshot.jsonl.sha256"), "utf8")).toBe(`${hash}  snapshot.jsonl\n`);
    expect(readFileSync(join(run, "steps.jsonl"), "utf8")).toBe('{"step":1,"exchanges":["a1"]}\n');
    expect(readFileSync(join(other, "held-out.jsonl"), "utf8")).toBe('{"id":"a1"}\n');
  });

  it("empties every table that speaks of an exchange, those of other parts too", async () => {
    await sql`create table remarks_of_a_plugin (exchange_id text not null, reply text)`.execute(store.db);
    await sql`insert into remarks_of_a_plugin values ('d1', ${secret}), ('a1', 'fine')`.execute(store.db);
    await trainedOn("run", ["d1", "a1"]);
    await store.lineage.recordSteps("run", [{ step: 1, exchanges: ["d1", "a1"] }]);
    await service().erase("dora");
    const rows = await sql<{ exchange_id: string }>`select exchange_id from remarks_of_a_plugin`.execute(store.db);
    expect(rows.rows).toEqual([{ exchange_id: "a1" }]);
    expect(await store.lineage.exchangeIdsOf(["run"])).toEqual(["a1"]);
    expect(await store.lineage.stepsOf("run", "a1")).toEqual([1]);
  });

  it("marks the adapters that learned from it, directly and by descent, and those alone", async () => {
    await trainedOn("first", ["d1", "d2", "a1"]);
    await trainedOn("second", ["d2", "a2"]);
    await trainedOn("clean", ["a1", "a2"]);
    await insertAdapter(store, 1, { runId: "clean" });
    await insertAdapter(store, 2, { runId: "first", parent: 1 });
    await insertAdapter(store, 3, { runId: "second", parent: 2, state: "live" });
    await insertAdapter(store, 4, { runId: "clean", parent: 1 });
    const at = new Date("2026-03-05T00:00:00Z");
    const report = await service({ now: () => at }).erase("dora");
    expect(report).toMatchObject({ runs: ["first", "second"], adapters: [{ version: 2 }, { version: 3 }], live: true });
    // 3 learned from d2 twice, by its own run and its parent's: that is two exchanges.
    expect((await store.adapters.list()).map(({ version, erasedData }) => [version, erasedData])).toEqual([
      [4, null],
      [3, { at: at.toISOString(), exchanges: 2 }],
      [2, { at: at.toISOString(), exchanges: 2 }],
      [1, null],
    ]);
    expect(alerts).toMatchObject([
      { code: "live_adapter_erased_data", message: expect.stringContaining("rejoinder@3") },
    ]);
    await logExchange(store, "d3", ofDora);
    await trainedOn("third", ["d3"]);
    await insertAdapter(store, 5, { runId: "third", parent: 3 });
    await service().erase("dora");
    expect((await store.adapters.get(5))?.erasedData?.exchanges).toBe(1);
    expect((await store.adapters.get(3))?.erasedData?.exchanges).toBe(2);
  });

  it("writes numbers into an append-only log, and no name", async () => {
    await service().erase("dora");
    await service().erase("dora");
    const log = await store.db.selectFrom("erasures").selectAll().execute();
    expect(log).toMatchObject([
      { conversations: 2, exchanges: 2, annotations: 1, runs: "[]", adapters: "[]" },
      { conversations: 0, exchanges: 0, annotations: 0 },
    ]);
    await expect(sql`update erasures set exchanges = 0`.execute(store.db)).rejects.toThrow(/append-only/);
    await expect(sql`delete from erasures`.execute(store.db)).rejects.toThrow(/append-only/);
  });

  it("takes the sample of an adapter out of its manifest when it is hers, and only then", async () => {
    await trainedOn("run", ["d1", "a1"]);
    const samples = { 1: [1, 2, 3, 4, 5], 2: [9, 9, 9] };
    for (const [version, tokens] of Object.entries(samples)) {
      const made = join(folder, "made");
      mkdirSync(made, { recursive: true });
      writeFileSync(join(made, "rejoinder.json"), JSON.stringify({ name: "rejoinder", probe: { tokens, from: 3 } }));
      await artifacts.put(`adapters/${version}`, made);
      await insertAdapter(store, Number(version), { runId: "run" });
    }
    await service().erase("dora");
    const manifest = async (version: number) =>
      JSON.parse(readFileSync(join(await artifacts.fetch(`adapters/${version}`), "rejoinder.json"), "utf8"));
    expect(await manifest(1)).toEqual({ name: "rejoinder" });
    expect(await manifest(2)).toMatchObject({ probe: { tokens: [9, 9, 9] } });
  });

  it("finishes at the next start what was left when its process died", async () => {
    const run = await trainedOn("run", ["d1", "a1"]);
    // The rows go, and the process with them.
    await store.erasures.erase("dora", [], new Date().toISOString());
    expect(filesWith(secret)).not.toEqual([]);
    // A run that came to its end before it could be stopped.
    await insertAdapter(store, 1, { runId: "run" });
    await service().resume();
    expect((await store.adapters.get(1))?.erasedData?.exchanges).toBe(1);
    expect(filesWith(secret)).toEqual([]);
    expect(existsSync(join(run, "checkpoint.safetensors"))).toBe(false);
    expect(await store.erasures.tasks()).toEqual([]);
  });

  it("leaves a run under way to the server where nobody can stop it, and says so", async () => {
    await trainedOn("run", ["d1"]);
    await store.runs.update("run", { state: "running", finishedAt: null });
    expect(await service().erase("dora")).toMatchObject({ exchanges: 2, pending: true });
    expect(alerts).toMatchObject([{ code: "erasure_pending" }]);
    expect(await store.erasures.tasks()).toHaveLength(1);
  });
});

it("cancels a run that is using the data and starts it again without", async () => {
  for (let index = 0; index < 9; index++) await logExchange(store, `a${index}`);
  await logExchange(store, "d1", ofDora);
  const entry = join(folder, "trainer.mjs");
  writeFileSync(
    entry,
    `import { readFileSync } from "node:fs";
    const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
    process.on("SIGTERM", () => process.exit(75));
    process.send({ type: "started", runId: job.runId, exchanges: 1, discarded: {}, steps: 2 });
    setInterval(() => {}, 1000);`,
  );
  const base = { id: "tiny", architecture: "llama", parameters: 1, quantization: "none" as const, contextLength: 64 };
  const engine = {
    model: { ...base, sha256: "base-hash", hasAdapterSupport: true },
    loadAdapter: () => Promise.reject(new Error("nothing is loaded here")),
    unloadAdapter: () => Promise.reject(new Error("nothing was loaded")),
    score: () => Promise.reject(new Error("nothing was loaded")),
  };
  const registry = await createAdapterRegistry({ store, artifacts, engine, fanOut });
  const queue = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  const training = await createTrainingService({
    store,
    queue,
    registry,
    artifacts,
    fanOut,
    runsFolder,
    modelFolder: join(folder, "model"),
    trainerEntry: entry,
    trainerThreads: 1,
    rewardVersion: "reward-1",
    rewardPath: undefined,
    rejudge: (logged) => logged,
    gate: { run: () => Promise.reject(new Error("no run of this test gets as far as the gate")) },
    killAfterMs: 2000,
  });
  const underWay = (id: string) =>
    expect.poll(async () => (await training.get(id))?.steps, { timeout: 10_000, interval: 20 }).toBe(2);
  try {
    const { id } = await training.start({ algorithm: "ppo", trigger: "cron", settings: { seed: 5 } });
    await underWay(id);
    expect(filesWith(secret, runsFolder)).toEqual([join(id, "snapshot.jsonl")]);

    await logExchange(store, "z1", { accepted: { owner: "zed" } });
    const erasure = service({ training });
    // Two at once do not start the run twice.
    const [report, other] = await Promise.all([erasure.erase("dora"), erasure.erase("zed")]);
    expect(other).toMatchObject({ exchanges: 1, restarted: [] });
    expect(report).toMatchObject({ runs: [id], restarted: [{ cancelled: id, started: expect.any(String) }] });
    const started = report.restarted[0]?.started ?? "";
    expect(await training.get(id)).toMatchObject({ state: "cancelled" });
    await underWay(started);
    expect(await store.runs.get(started)).toMatchObject({ trigger: "cron", settings: { settings: { seed: 5 } } });
    expect(await store.lineage.countOf(started)).toMatchObject({ exchanges: 9 });
    expect(filesWith(secret)).toEqual([]);
  } finally {
    await queue.close();
  }
});
