import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { encodeSafetensors, openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";
import { type AdapterRegistry, createAdapterRegistry } from "../adapters/registry.ts";
import { openSampleEngine, type SampleEngine } from "../adapters/sample-engine.ts";
import { writeSampleAdapter } from "../adapters/sample-model.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import type { NamedJobQueue } from "../jobs/named-queue.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import type { GateStatus } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { isHeldOut } from "../training/holdout.ts";
import { logExchange } from "../training/sample-log.ts";
import { createSampleGate, sampleGateSettings } from "./sample-gate.ts";
import { createGateService, type GateService } from "./service.ts";
import type { GateSettings } from "./settings.ts";

// A gate runs at low priority: on a machine that is busy otherwise it takes its time.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

let engine: SampleEngine["engine"];
let modelDir: string;
let closeEngine: SampleEngine["close"];
beforeAll(async () => {
  ({ engine, modelDir, close: closeEngine } = await openSampleEngine());
});
afterAll(() => closeEngine());

let folder: string;
let store: Store;
let queue: NamedJobQueue;
let registry: AdapterRegistry;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-gate-service-"));
  store = await openStore(join(folder, "rejoinder.sqlite"));
  const fanOut = { chat: () => undefined, ops: () => undefined };
  registry = await createAdapterRegistry({ store, engine, artifacts: createFolderArtifacts(folder), fanOut });
  queue = createSqliteJobQueue({ db: store.db, pollMs: 20, retryDelayMs: () => 10 });
});
afterEach(async () => {
  await queue.close();
  await registry.settled();
  await store.close();
  rmSync(folder, { recursive: true });
});

const gatesFolder = () => join(folder, "gates");

function open(settings: Partial<GateSettings> = {}): GateService {
  const artifacts = createFolderArtifacts(folder);
  const gate = createSampleGate({ store, registry, artifacts, modelFolder: modelDir }, settings);
  return createGateService({ queue, registry, gate, gatesFolder: gatesFolder() });
}

async function importAdapter(change: (source: string) => void = () => undefined): Promise<void> {
  const source = join(folder, "source");
  writeSampleAdapter(source, modelDir, 1);
  change(source);
  await registry.register({ version: 1, folder: source, runId: null });
}

async function ended(gates: GateService): Promise<GateStatus> {
  await gates.start(1);
  await expect.poll(async () => (await gates.status(1)).state, { timeout: 250_000 }).toMatch(/done|failed/);
  return gates.status(1);
}

it("keeps the verdict with an imported adapter and leaves it to an operator to promote it", async () => {
  await importAdapter();
  const gates = open();
  expect(await gates.status(1)).toEqual({ version: 1, state: "none", error: null, verdict: null });
  const first = await gates.start(1);
  expect(first.state).toMatch(/waiting|active/);
  const status = await ended(gates);
  expect(status).toMatchObject({ state: "done", error: null, verdict: { passed: true, baseline: null, prompts: 12 } });
  // Asked for twice, it ran once.
  expect(readdirSync(gatesFolder())).toHaveLength(1);
  // KL is no question for an adapter that did not begin at what is live, as far as anybody here knows.
  expect(status.verdict?.checks.find(({ name }) => name === "kl")).toMatchObject({ limit: null, passed: true });
  expect(registry.live().version).toBe(0);
  expect(await registry.list()).toMatchObject([{ state: "candidate", verdict: { passed: true } }]);
  await registry.promote(1, "ann", "passed");
  await registry.promote(0, "ann", "leave the engine as it was");
});

it("rejects what fails a check, in the check's words", async () => {
  await importAdapter();
  const gates = open({ limits: { ...sampleGateSettings.limits, toxicityMargin: 0 } });
  expect(await ended(gates)).toMatchObject({ state: "done", verdict: { passed: false } });
  expect(await registry.list()).toMatchObject([{ state: "rejected" }]);
  const [deployment] = await store.adapters.deployments();
  expect(deployment).toMatchObject({
    action: "reject",
    actor: "gate",
    reason: expect.stringMatching(/^toxicity_margin: Mean toxicity by the judge is .* REJECTED/),
  });
});

it("rejects weights that are no numbers without asking them anything", async () => {
  await importAdapter((source) => {
    const file = join(source, "adapter_model.safetensors");
    const weights = openSafetensors(file);
    const tensors = [...weights.tensors].map(([name, { shape }]) => {
      return [name, { data: readTensor(weights, name).fill(Number.NaN), shape }] as const;
    });
    writeFileSync(file, encodeSafetensors(new Map(tensors), "F32"));
  });
  expect(await ended(open())).toMatchObject({
    state: "failed",
    error: expect.stringMatching(/not finite/),
    verdict: null,
  });
  expect(await registry.list()).toMatchObject([{ state: "rejected" }]);
});

it("leaves an adapter a candidate when the judge fails, says why, and judges it once the judge is mended", async () => {
  const judge = join(folder, "judge");
  cpSync(sampleGateSettings.judge, judge, { recursive: true });
  const weights = readFileSync(join(judge, "model.safetensors"));
  writeFileSync(join(judge, "model.safetensors"), weights.subarray(0, 1000));
  await importAdapter();
  const gates = open({ judge });
  expect(await ended(gates)).toMatchObject({
    state: "failed",
    error: expect.stringMatching(/the judge .* cannot be loaded/),
    verdict: null,
  });
  expect(await registry.list()).toMatchObject([{ state: "candidate", verdict: null }]);
  expect((await queue.list("gate:rejoinder")).map(({ attempts }) => attempts)).toEqual([1]);
  writeFileSync(join(judge, "model.safetensors"), weights);
  expect(await ended(gates)).toMatchObject({ state: "done", verdict: { passed: true } });
});

it("asks the prompts of held-out conversations with consent, and leaves no copy of them behind", async () => {
  for (let i = 0; i < 30; i++) await logExchange(store, `e${i}`);
  await logExchange(store, "without", { accepted: { consent: false } });
  const held = Array.from({ length: 30 }, (_, i) => i).filter((i) => isHeldOut(`conversation of e${i}`, 0.5)).length;
  await importAdapter();
  const status = await ended(open({ holdoutShare: 0.5 }));
  expect(held).toBeGreaterThan(5);
  expect(status.verdict?.prompts).toBe(12 + held);
  const [gate = ""] = readdirSync(gatesFolder());
  expect(existsSync(join(gatesFolder(), gate, "verdict.json"))).toBe(true);
  expect(existsSync(join(gatesFolder(), gate, "held-out.jsonl"))).toBe(false);
});
