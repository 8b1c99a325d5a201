import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { sampleVerdict } from "../gate/sample-gate.ts";
import type { FanOut } from "../ports.ts";
import type { Deployment, Verdict } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { deployInitialAdapter } from "./first-start.ts";
import { type AdapterRegistry, createAdapterRegistry } from "./registry.ts";
import { openSampleEngine, type SampleEngine } from "./sample-engine.ts";
import { writeSampleAdapter } from "./sample-model.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

let engine: SampleEngine["engine"];
let modelDir: string;
let closeEngine: SampleEngine["close"];
beforeAll(async () => {
  ({ engine, modelDir, close: closeEngine } = await openSampleEngine());
});
afterAll(() => closeEngine());

let folder: string;
let store: Store;
let registry: AdapterRegistry;
let told: { event: string; payload: unknown }[];
const fanOut: FanOut = {
  chat: (event, payload) => void told.push({ event, payload }),
  ops: (event, payload) => void told.push({ event, payload }),
};

async function openRegistry(): Promise<AdapterRegistry> {
  return createAdapterRegistry({ store, engine, artifacts: createFolderArtifacts(folder), fanOut });
}

function passedAgainst(version: number): Verdict {
  const baseline = version === 0 ? null : { name: "rejoinder", version, sha256: "ab" };
  return { ...sampleVerdict(true), baseline };
}

/** Registers an adapter made from this seed as a version of that number, which has passed the gate against the one before. */
async function add(version: number): Promise<string> {
  const source = join(folder, `source-${version}`);
  const sha256 = writeSampleAdapter(source, modelDir, version);
  await registry.register({ version, folder: source, runId: null });
  await registry.setVerdict(version, passedAgainst(version - 1));
  return sha256;
}

const resident = () => engine.stats().residentAdapters;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-registry-"));
  store = await openStore(join(folder, "rejoinder.sqlite"));
  told = [];
  registry = await openRegistry();
});
afterEach(async () => {
  if (registry.live().version !== 0) await registry.promote(0, "test", "leave the engine as it was");
  await registry.settled();
  expect(resident()).toEqual([]);
  await store.close();
  rmSync(folder, { recursive: true });
});

describe("promotion", () => {
  it("begins with the base model and makes a candidate live, staged, logged and announced", async () => {
    expect(registry.live()).toEqual({ name: "base", version: 0, sha256: engine.model.sha256, state: "base" });
    const sha256 = await add(1);
    expect(resident()).toEqual([]);
    const deployment = await registry.promote(1, "ann", "first of all");
    const identity = { name: "rejoinder", version: 1, sha256 };
    expect(deployment).toMatchObject({ actor: "ann", action: "promote", to: identity, reason: "first of all" });
    expect(registry.live()).toEqual({ ...identity, state: "live" });
    expect(registry.resolve("rejoinder")).toEqual(identity);
    expect(resident()).toEqual([sha256]);
    expect(told).toEqual([
      { event: "adapter", payload: identity },
      { event: "deployment", payload: deployment },
    ]);
    expect(await registry.list()).toMatchObject([{ version: 1, state: "live", rank: 2, metrics: { reward: 1 } }]);
  });

  it("retires what was live and goes back by rollback, each a row of the log", async () => {
    await add(1);
    await add(2);
    await registry.promote(1, "ann", "one");
    await registry.promote(2, "ann", "two");
    expect((await registry.list()).map(({ version, state }) => [version, state])).toEqual([
      [2, "live"],
      [1, "retired"],
    ]);
    await registry.rollback("ben", "two is rude");
    expect(registry.live().version).toBe(1);
    expect(
      (await registry.deployments()).map(({ action, actor, to }: Deployment) => [action, actor, to.version]),
    ).toEqual([
      ["rollback", "ben", 1],
      ["promote", "ann", 2],
      ["promote", "ann", 1],
    ]);
    await expect(registry.rollback("ben", "again")).rejects.toMatchObject({ code: "nothing_to_roll_back_to" });
  });

  it("refuses what is live, rejected or unknown, and leaves everything as it was", async () => {
    await add(1);
    await add(2);
    await registry.promote(1, "ann", "one");
    await registry.reject(2, "trainer", "KL too high");
    told = [];
    await expect(registry.promote(1, "ann", "")).rejects.toMatchObject({ code: "already_live" });
    await expect(registry.promote(2, "ann", "")).rejects.toMatchObject({ code: "adapter_rejected" });
    await expect(registry.promote(3, "ann", "")).rejects.toMatchObject({ code: "unknown_adapter" });
    await expect(registry.reject(1, "ann", "")).rejects.toMatchObject({ code: "already_live" });
    expect(registry.live().version).toBe(1);
    expect(told).toEqual([]);
  });

  it("refuses what has not passed the gate, unless forced, which the log shows", async () => {
    await add(1);
    await add(2);
    const source = join(folder, "source-3");
    writeSampleAdapter(source, modelDir, 3);
    await registry.register({ version: 3, folder: source, runId: null });
    await expect(registry.promote(3, "ann", "new")).rejects.toMatchObject({ code: "not_gated" });
    await registry.setVerdict(3, sampleVerdict(false));
    const failed = { code: "adapter_rejected", message: expect.stringMatching(/did not pass: failed 1 of 1 checks/) };
    await expect(registry.promote(3, "ann", "new")).rejects.toMatchObject(failed);
    await registry.reject(2, "gate", "too rude");
    await expect(registry.promote(2, "ann", "new")).rejects.toMatchObject({ code: "adapter_rejected" });
    expect(registry.live().version).toBe(0);

    expect(await registry.promote(3, "ann", "a drill", { force: true })).toMatchObject({ reason: "forced: a drill" });
    expect(await registry.promote(2, "ann", "a mistake", { force: true })).toMatchObject({
      reason: "forced: a mistake",
    });
    await registry.setVerdict(1, passedAgainst(2));
    // Force where none is needed is no news; having been forced once is no pass.
    expect(await registry.promote(1, "ann", "back", { force: true })).toMatchObject({ reason: "back" });
    await expect(registry.promote(3, "ann", "again")).rejects.toMatchObject(failed);
    await registry.promote(3, "ann", "again", { force: true });
    expect((await openRegistry()).live().version).toBe(3);
    expect(await registry.list()).toMatchObject([
      { version: 3, verdict: { passed: false } },
      {},
      { verdict: { passed: true } },
    ]);
  });

  it("refuses one that was compared with what is live no longer, until it is compared anew or forced", async () => {
    for (const version of [1, 2, 3]) await add(version);
    await registry.setVerdict(2, passedAgainst(0));
    await registry.promote(1, "ann", "one");
    const outdated = { code: "verdict_outdated", message: expect.stringMatching(/with version 0, and 1 is live now/) };
    await expect(registry.promote(2, "ann", "two")).rejects.toMatchObject(outdated);
    await expect(registry.promote(2, "ann", "two", { stage: "canary", share: 0.5 })).rejects.toMatchObject(outdated);
    expect(await registry.promote(2, "ann", "two", { force: true })).toMatchObject({ reason: "forced: two" });
    // What has served before may come back.
    expect(await registry.promote(1, "ann", "back")).toMatchObject({ reason: "back" });
    await registry.setVerdict(3, passedAgainst(1));
    expect(await registry.promote(3, "ann", "three")).toMatchObject({ reason: "three" });
  });

  it("lets a candidate wait that another one went live before, and tells the operators", async () => {
    for (const version of [1, 2]) await add(version);
    await registry.setVerdict(2, passedAgainst(0));
    expect(await registry.admit(1, "trainer", "passed")).toMatchObject({ action: "promote", to: { version: 1 } });
    told = [];
    expect(await registry.admit(2, "trainer", "passed")).toBeNull();
    const message = expect.stringMatching(/rejoinder@2 passed its checks and waits as a candidate: .* 1 is live now/);
    expect(told).toMatchObject([{ event: "alert", payload: { code: "candidate_waits", message } }]);
    expect(await registry.list()).toMatchObject([
      { version: 2, state: "candidate" },
      { version: 1, state: "live" },
    ]);
  });

  it("refuses an adapter whose file was changed, by name", async () => {
    await add(1);
    const config = join(folder, "adapters", "1", "adapter_config.json");
    const whole = readFileSync(config, "utf8");
    writeFileSync(config, JSON.stringify({ ...JSON.parse(whole), lora_alpha: 123 }));
    await expect(registry.promote(1, "ann", "")).rejects.toThrow(/adapter_config\.json was changed: .* alpha 123/);
    writeFileSync(config, whole);
    const file = join(folder, "adapters", "1", "adapter_model.safetensors");
    appendFileSync(file, " ");
    await expect(registry.promote(1, "ann", "")).rejects.toThrow(/adapters\/1\/adapter_model\.safetensors was changed/);
    expect(registry.live().version).toBe(0);
    expect(await registry.list()).toMatchObject([{ state: "candidate" }]);
    expect(await registry.deployments()).toEqual([]);
  });

  it("changes nothing when the database refuses", async () => {
    await add(1);
    await store.db.schema.alterTable("deployments").renameTo("deployments_gone").execute();
    await expect(registry.promote(1, "ann", "")).rejects.toThrow(/not made live: the database refused/);
    await store.db.schema.alterTable("deployments_gone").renameTo("deployments").execute();
    await registry.settled();
    expect(registry.live().version).toBe(0);
    expect(resident()).toEqual([]);
    expect(told).toEqual([]);
    expect((await openRegistry()).live().version).toBe(0);
  });

  it("takes deployments asked for at once one after the other", async () => {
    await add(1);
    await add(2);
    const both = await Promise.allSettled([registry.promote(1, "ann", ""), registry.promote(2, "ben", "")]);
    expect(both.map((result) => result.status)).toEqual(["fulfilled", "fulfilled"]);
    expect((await registry.deployments()).map(({ from, to }) => [from?.version, to.version])).toEqual([
      [1, 2],
      [0, 1],
    ]);
  });
});

describe("taking the live adapter away", () => {
  it("goes back to the nearest version whose files are sound, and bars the one that was live", async () => {
    for (const version of [1, 2, 3]) {
      await add(version);
      await registry.promote(version, "ann", "");
    }
    await registry.settled();
    appendFileSync(join(folder, "adapters", "2", "adapter_model.safetensors"), " ");
    await registry.revoke(3, "before", "watcher", "rude");
    expect(registry.live().version).toBe(1);
    expect((await registry.list()).map(({ version, state }) => [version, state])).toEqual([
      [3, "rejected"],
      [2, "retired"],
      [1, "live"],
    ]);
    await expect(registry.revoke(3, "before", "watcher", "again")).rejects.toMatchObject({
      code: "nothing_to_roll_back_to",
    });
  });

  it("ends at the base model, from which nothing is taken away", async () => {
    await add(1);
    await registry.promote(1, "ann", "");
    await registry.revoke(1, "before", "watcher", "rude");
    expect(registry.live().version).toBe(0);
    await expect(registry.revoke(0, "before", "watcher", "rude")).rejects.toMatchObject({
      code: "nothing_to_roll_back_to",
    });
  });

  it("changes nothing when the database refuses, and is not undone by a later start", async () => {
    await add(1);
    await add(2);
    await registry.promote(1, "ann", "");
    await store.db.schema.alterTable("deployments").renameTo("deployments_gone").execute();
    const canary = { stage: "canary" as const, share: 0.5 };
    await expect(registry.promote(2, "ann", "", canary)).rejects.toThrow(/not put in canary: the database refused/);
    await store.db.schema.alterTable("deployments_gone").renameTo("deployments").execute();
    expect(registry.trial()).toBeNull();
    expect((await openRegistry()).trial()).toBeNull();
  });
});

describe("a trial whose files are gone at the start", () => {
  it("is ended, and keeps nobody from the live adapter", async () => {
    await add(1);
    await registry.promote(1, "ann", "", { stage: "canary", share: 0.5 });
    // As a process that dies: without giving anything back.
    rmSync(join(folder, "adapters", "1"), { recursive: true });
    const again = await openRegistry();
    expect(again.trial()).toBeNull();
    expect(await again.list()).toMatchObject([{ version: 1, state: "retired" }]);
    expect((await again.deployments())[0]).toMatchObject({ action: "retire", actor: "server" });
    await registry.retire(1, "test", "leave the engine as it was");
  });
});

describe("an adapter's files", () => {
  it("are refused when made for another base model", async () => {
    const source = join(folder, "stranger");
    writeSampleAdapter(source, modelDir, 1);
    const file = join(source, "rejoinder.json");
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...manifest, baseModel: { sha256: "of another model" } }));
    await expect(registry.register({ version: 1, folder: source, runId: null })).rejects.toThrow(
      /stranger\/rejoinder\.json.*of another model/,
    );
    expect(await registry.list()).toEqual([]);
  });

  it("are registered once under a number, and never replaced", async () => {
    await add(1);
    const source = join(folder, "source-1");
    expect(await registry.register({ version: 1, folder: source, runId: null })).toMatchObject({ version: 1 });
    const other = join(folder, "other");
    writeSampleAdapter(other, modelDir, 99);
    await expect(registry.register({ version: 1, folder: other, runId: null })).rejects.toThrow(/version 1 is taken/);
  });
});

describe("a reply in flight", () => {
  it("keeps its version through a swap; the old one is unloaded when the last reply has ended", async () => {
    const first = await add(1);
    const second = await add(2);
    await registry.promote(1, "ann", "");
    const inFlight = await registry.lease("rejoinder");
    const another = await registry.lease("rejoinder");
    await registry.promote(2, "ann", "");
    await registry.settled();
    expect(inFlight.identity.version).toBe(1);
    expect(resident().sort()).toEqual([first, second].sort());
    const next = await registry.lease("rejoinder");
    expect(next.identity.version).toBe(2);
    next.release();
    inFlight.release();
    inFlight.release();
    await registry.settled();
    expect(resident()).toContain(first);
    another.release();
    await registry.settled();
    expect(resident()).toEqual([second]);
  });

  it("finishes under the old adapter while the next one already answers under the new", async () => {
    await add(1);
    await add(2);
    await registry.promote(1, "ann", "");
    const sampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };
    const say = async (adapter: string | null, beforeEnd?: () => Promise<unknown>) => {
      const stream = engine.generate({ promptTokens: [5, 6, 7], adapter, sampling, maxTokens: 12, stop: [] });
      let step = await stream.next();
      await beforeEnd?.();
      while (!step.done) step = await stream.next();
      return step.value.tokens;
    };
    const lease = await registry.lease("rejoinder");
    const undisturbed = await say(lease.sha256);
    const disturbed = await say(lease.sha256, () => registry.promote(2, "ann", ""));
    expect(disturbed).toEqual(undisturbed);
    lease.release();
    const next = await registry.lease("rejoinder");
    expect(await say(next.sha256)).not.toEqual(undisturbed);
    next.release();
  });
});

describe("model names", () => {
  it("stand for the live adapter, a version or the base", async () => {
    const sha256 = await add(1);
    const lease = await registry.lease("rejoinder@1");
    expect(lease).toMatchObject({ identity: { version: 1, sha256 }, sha256 });
    lease.release();
    expect(await registry.lease("base")).toMatchObject({ identity: { name: "base", version: 0 }, sha256: null });
    expect(registry.versions().map(({ version }) => version)).toEqual([1]);
  });

  it.each(["rejoinder@7", "rejoinder@", "rejoinder@1.5", "rejoinder@-1", "gpt", "", "rejoinder@1 "])(
    "refuse %j",
    async (name) => {
      await expect(registry.lease(name)).rejects.toMatchObject({ code: "unknown_adapter" });
    },
  );

  it("find a version that another process has registered", async () => {
    const other = await openRegistry();
    const source = join(folder, "by another");
    writeSampleAdapter(source, modelDir, 4);
    await other.register({ version: 4, folder: source, runId: null });
    const lease = await registry.lease("rejoinder@4");
    expect(lease.identity.version).toBe(4);
    lease.release();
  });
});

describe("the probe after a swap", () => {
  const sample = { tokens: [3, 9, 27, 81, 5, 11], from: 2 };

  async function addWithProbe(version: number, probeOf: (sha256: string) => Promise<number[]>): Promise<void> {
    const source = join(folder, `probed-${version}`);
    const sha256 = writeSampleAdapter(source, modelDir, version);
    await engine.loadAdapter(source);
    const logProbs = await probeOf(sha256);
    await engine.unloadAdapter(sha256);
    writeSampleAdapter(source, modelDir, version, { ...sample, logProbs });
    await registry.register({ version, folder: source, runId: null });
    await registry.setVerdict(version, sampleVerdict(true));
  }

  it("is silent when the engine serves what was trained", async () => {
    await addWithProbe(1, (adapter) => engine.score({ ...sample, adapter }));
    await registry.promote(1, "ann", "");
    expect(await registry.probe(1)).toBeLessThan(1e-4);
    expect(told.filter(({ event }) => event === "alert")).toEqual([]);
  });

  it("alerts the operators when it does not", async () => {
    await addWithProbe(1, () => engine.score({ ...sample, adapter: null }));
    await registry.promote(1, "ann", "");
    expect(told.filter(({ event }) => event === "alert")).toMatchObject([
      {
        payload: {
          code: "adapter_probe_mismatch",
          message: expect.stringMatching(/rejoinder@1: served log-probs differ/),
        },
      },
    ]);
    expect(registry.live().version).toBe(1);
  });
});

describe("a restart", () => {
  it("serves what was live before", async () => {
    const sha256 = await add(1);
    await registry.promote(1, "ann", "");
    const again = await openRegistry();
    expect(again.live()).toEqual({ name: "rejoinder", version: 1, sha256, state: "live" });
    await again.promote(0, "ann", "done");
    await again.settled();
  });
});

describe("the first start", () => {
  const shipped = () => join(folder, "shipped");
  const begin = (adapter?: string) => deployInitialAdapter({ store, registry, shippedFolder: shipped(), adapter });

  it("takes the newest adapter that comes with the model, under its own number, once", async () => {
    writeSampleAdapter(join(shipped(), "1"), modelDir, 1);
    writeSampleAdapter(join(shipped(), "2"), modelDir, 2);
    expect(await begin()).toBe(true);
    expect(registry.live().version).toBe(2);
    await registry.promote(1, "ann", "", { force: true });
    expect(await begin("base")).toBe(false);
    expect(registry.live().version).toBe(1);
  });

  it("serves the base when the model comes with none, and writes that down", async () => {
    expect(await begin()).toBe(true);
    expect(registry.live()).toMatchObject({ version: 0, state: "base" });
    expect(await registry.deployments()).toMatchObject([{ from: null, to: { name: "base" }, actor: "setup" }]);
    await add(1);
    await registry.promote(1, "ann", "");
    await registry.rollback("ann", "");
    expect(registry.live().version).toBe(0);
  });

  it("does as ADAPTER says: base, a number or a folder", async () => {
    writeSampleAdapter(join(shipped(), "1"), modelDir, 1);
    const own = join(folder, "own");
    const sha256 = writeSampleAdapter(own, modelDir, 5);
    await expect(begin("7")).rejects.toThrow("ADAPTER=7: the model comes with no adapter of this number (it has: 1)");
    await expect(begin("/no/such/folder")).rejects.toThrow("ADAPTER=/no/such/folder: expected");
    await begin(own);
    expect(registry.live()).toMatchObject({ version: 2, sha256 });
  });
});
