import { afterEach, beforeEach, expect, it } from "vitest";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "./sample-log.ts";
import { insertAdapter, insertRun } from "./sample-run.ts";
import { startingPoint } from "./starting-point.ts";

const at = "2026-03-01T12:00:00.000Z";
let store: Store;

/** 1 was made by run a, 2 by b from 1, 3 by c from 2; dora's exchange went into b. */
beforeEach(async () => {
  store = await openStore(":memory:");
  for (const id of ["e1", "e2", "e3"]) await logExchange(store, id);
  await logExchange(store, "d1", { accepted: { owner: "dora" } });
  for (const id of ["a", "b", "c"]) await insertRun(store, id);
  await insertAdapter(store, 1, { runId: "a" });
  await insertAdapter(store, 2, { runId: "b", parent: 1 });
  await insertAdapter(store, 3, { runId: "c", parent: 2, state: "live" });
  const given = { a: ["e1"], b: ["e2", "d1"], c: ["e3"] };
  for (const [run, ids] of Object.entries(given)) {
    await store.lineage.take(
      run,
      ids.map((id) => ({ id, reward: 0 })),
      at,
    );
  }
});
afterEach(() => store.close());

const live = { name: "rejoinder", version: 3, sha256: "3".repeat(64) };
const base = { name: "base", version: 0, sha256: "b" };

it("goes on from the live adapter by default, and knows what its whole line has used", async () => {
  expect(await startingPoint(store, live, "live")).toEqual({ parent: live, usedBy: ["c", "b", "a"] });
  expect(await startingPoint(store, base, "live")).toEqual({ parent: null, usedBy: [] });
});

it("goes back to the newest ancestor without erased data, and takes what is left of the runs since", async () => {
  await store.erasures.erase("dora", [], at);
  expect(await startingPoint(store, live, "clean")).toEqual({
    parent: { name: "rejoinder", version: 1, sha256: "1".repeat(64) },
    usedBy: ["a"],
    only: new Set(["e2", "e3"]),
  });
});

it("goes back to the base model when every ancestor was touched", async () => {
  await store.lineage.take(
    "a",
    [
      { id: "e1", reward: 0 },
      { id: "d1", reward: 0 },
    ],
    at,
  );
  await store.erasures.erase("dora", [], at);
  expect(await startingPoint(store, live, "clean")).toEqual({
    parent: null,
    usedBy: [],
    only: new Set(["e1", "e2", "e3"]),
  });
});

it("refuses a clean start where nothing was erased", async () => {
  await expect(startingPoint(store, live, "clean")).rejects.toMatchObject({ code: "nothing_erased" });
  await expect(startingPoint(store, base, "clean")).rejects.toMatchObject({ code: "nothing_erased" });
});
