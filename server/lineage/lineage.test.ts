import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore, type Store } from "../store/index.ts";
import { toTrainingRun } from "../training/run-progress.ts";
import { logExchange } from "../training/sample-log.ts";
import { insertAdapter, insertRun } from "../training/sample-run.ts";
import { importSteps } from "../training/steps.ts";
import { ancestorsOf, descendantsOf } from "./ancestry.ts";
import { adapterLineage, exchangeLineage, setConsent } from "./lineage.ts";

let folder: string;
let store: Store;

/**
 * Version 1 was imported. Run a made 2 from it, run b made 3 from 2, run c made 4 from 1. Exchange e1 went into a and c, e2
 * into b; c wrote no steps down.
 */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-lineage-"));
  store = await openStore(join(folder, "rejoinder.sqlite"));
  for (const id of ["e1", "e2", "e3"]) await logExchange(store, id);
  for (const id of ["a", "b", "c"]) await insertRun(store, id);
  await insertAdapter(store, 1);
  await insertAdapter(store, 2, { parent: 1, runId: "a" });
  await insertAdapter(store, 3, { parent: 2, runId: "b", state: "live" });
  await insertAdapter(store, 4, { parent: 1, runId: "c", state: "candidate" });
  const given = (...ids: string[]) => ids.map((id) => ({ id, reward: 0.25 }));
  await store.lineage.take("a", given("e1", "e3"), "2026-03-01T12:00:00.000Z");
  await store.lineage.take("b", given("e2"), "2026-03-01T13:00:00.000Z");
  await store.lineage.take("c", given("e1"), "2026-03-01T14:00:00.000Z");
  const steps = [
    { step: 1, exchanges: ["e1"] },
    { step: 2, exchanges: ["e1", "erased meanwhile"] },
  ];
  const file = join(folder, "steps.jsonl");
  writeFileSync(file, `${steps.map((step) => JSON.stringify(step)).join("\n")}\n{"step": 3, "excha`);
  await importSteps(store, "a", file);
  // A resumed run does some of its steps again.
  await importSteps(store, "a", file);
  await importSteps(store, "c", join(folder, "no steps here.jsonl"));
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

it("goes from a reply to the runs and steps that used it and the adapters that came of it, by descent too", async () => {
  expect(await exchangeLineage(store, "e1")).toMatchObject({
    exchangeId: "e1",
    consent: true,
    writtenBy: { version: 1 },
    uses: [
      { runId: "a", algorithm: "ppo", state: "succeeded", reward: 0.25, steps: [1, 2] },
      { runId: "c", steps: null },
    ],
    adapters: [
      { version: 2, direct: true, state: "retired" },
      { version: 3, direct: false, state: "live" },
      { version: 4, direct: true, state: "candidate" },
    ],
  });
});

it("does not say that an adapter learned from what none of its steps used", async () => {
  expect(await exchangeLineage(store, "e3")).toMatchObject({ uses: [{ runId: "a", steps: [] }], adapters: [] });
  expect(await exchangeLineage(store, "nobody")).toBeNull();
});

it("goes from an adapter back to its run, its exchanges and its relatives", async () => {
  expect(await adapterLineage(store, 2, 10, toTrainingRun)).toMatchObject({
    adapter: { version: 2, erasedData: null },
    run: { id: "a" },
    exchanges: [
      { exchangeId: "e1", reward: 0.25, steps: 2, consent: true },
      { exchangeId: "e3", reward: 0.25, steps: 0, consent: true },
    ],
    exchangeCount: 2,
    withdrawn: 0,
    ancestors: [{ version: 1 }],
    descendants: [{ version: 3 }],
  });
  expect(await adapterLineage(store, 1, 10, toTrainingRun)).toMatchObject({
    run: null,
    exchanges: [],
    descendants: [{ version: 2 }, { version: 3 }, { version: 4 }],
  });
  expect((await adapterLineage(store, 4, 10, toTrainingRun))?.exchanges).toMatchObject([{ steps: null }]);
  expect((await adapterLineage(store, 2, 1, toTrainingRun))?.exchanges).toHaveLength(1);
  expect(await adapterLineage(store, 9, 10, toTrainingRun)).toBeNull();
});

it("withdrawing consent names the adapters that learned from the exchange and keeps it from runs to come", async () => {
  expect(await setConsent(store, "e1", false)).toMatchObject({
    consent: false,
    adapters: [{ version: 2 }, { version: 3 }, { version: 4 }],
  });
  expect((await store.exchangeQueries.trainable([])).map(({ id }) => id)).toEqual(["e3", "e2"]);
  expect(await store.lineage.take("b", [{ id: "e1", reward: 0 }], new Date().toISOString())).toBe(false);
  expect(await adapterLineage(store, 2, 10, toTrainingRun)).toMatchObject({ withdrawn: 1, exchangeCount: 2 });
  expect(await setConsent(store, "e3", false)).toMatchObject({ adapters: [] });
  expect(await setConsent(store, "nobody", false)).toBeNull();
});

describe("ancestry", () => {
  it("ends at a parent that is not registered, and at a table that bites its tail", () => {
    const loop = [
      { version: 1, parent: 3 },
      { version: 2, parent: 1 },
      { version: 3, parent: 2 },
      { version: 9, parent: 8 },
    ];
    expect(ancestorsOf(loop, 9)).toEqual([]);
    expect(ancestorsOf(loop, 3).map(({ version }) => version)).toEqual([2, 1]);
    expect(descendantsOf(loop, 9)).toEqual([]);
  });
});
