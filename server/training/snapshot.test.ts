import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rejudge } from "../../reward/annotations/rejudge.ts";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import { openStore, type Store } from "../store/index.ts";
import { isHeldOut } from "./holdout.ts";
import { logExchange } from "./sample-log.ts";
import { insertRun } from "./sample-run.ts";
import { reasonToExclude, writeSnapshot } from "./snapshot.ts";

let folder: string;
let file: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-snapshot-"));
  file = join(folder, "snapshot.jsonl");
  store = await openStore(join(folder, "rejoinder.sqlite"));
  await insertRun(store, "run");
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const logged = (reward: ExchangeRecord["reward"]) => reward;
const reward = { runId: "run", usedBy: [], rewardVersion: "reward-1", rejudge: logged };

function lines(): ExchangeRecord[] {
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

it("takes complete exchanges with consent and nothing else, oldest first", async () => {
  await logExchange(store, "first");
  await logExchange(store, "no consent", { accepted: { consent: false } });
  await logExchange(store, "stopped by its reader", { outcome: { finishReason: "cancelled" } });
  await logExchange(store, "failed", { outcome: { finishReason: "error" } });
  await logExchange(store, "empty", { outcome: { reply: "", replyTokens: [], logProbs: [] } });
  await logExchange(store, "cut by its server");
  await store.exchanges.cut("cut by its server", "Many of", new Date());
  await logExchange(store, "at its length limit", { outcome: { finishReason: "length" } });
  const snapshot = await writeSnapshot({ store, file, limit: 100, ...reward });
  expect(lines().map((record) => record.id)).toEqual(["first", "at its length limit"]);
  expect(snapshot).toMatchObject({ exchanges: 2, excluded: { empty: 1 } });
});

it("keeps what was sampled to the digit and names its own hash", async () => {
  const logProbs = [-0.123456789012345, -7.5];
  await logExchange(store, "e1", { outcome: { logProbs } });
  const { sha256 } = await writeSnapshot({ store, file, limit: 100, ...reward });
  expect(lines()[0]).toMatchObject({ promptTokens: [1, 2, 3], replyTokens: [4, 5], logProbs, consent: true });
  const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
  expect(sha256).toBe(hash);
  expect(readFileSync(`${file}.sha256`, "utf8")).toBe(`${hash}  snapshot.jsonl\n`);
  const beside = readdirSync(folder).filter((name) => !name.startsWith("rejoinder.sqlite"));
  expect(beside.sort()).toEqual(["snapshot.jsonl", "snapshot.jsonl.sha256"]);
});

it("judges anew with what annotators have said since the exchange was logged", async () => {
  await logExchange(store, "e1");
  await logExchange(store, "e2");
  await store.annotations.put("e2", "ben", { label: "toxic", severity: 4 }, new Date());
  const weighed = (logged: ExchangeRecord["reward"], value: number) => rejudge(logged, value, 4);
  await writeSnapshot({ store, file, limit: 100, ...reward, rejudge: weighed });
  // The logged 0.5, and a "toxic" of severity 4 out of 5 takes 4 * 4/5 of it, of which one annotator alone decides a third
  // of the exchanges judged in a run: 0.5 - 4 * 4/5 / 3.
  expect(lines().map((record) => record.reward.total)).toEqual([0.5, expect.closeTo(0.5 - 3.2 / 3, 12)]);
  expect(lines()[1]?.annotations).toMatchObject([{ label: "toxic", severity: 4, annotator: "ben" }]);
});

it("keeps what an operator has excluded out of rewards and rewrites", async () => {
  await logExchange(store, "e1");
  const { id } = await store.annotations.put("e1", "mallory", { label: "toxic", rewrite: "Spam." }, new Date());
  await store.annotations.put("e1", "ben", { label: "good" }, new Date());
  await store.annotations.review([id], "excluded");
  await writeSnapshot({ store, file, limit: 100, ...reward, rejudge: (logged, value) => rejudge(logged, value, 3) });
  expect(lines()[0]?.annotations).toMatchObject([{ annotator: "ben" }]);
  expect(lines()[0]?.reward.terms.annotation).toBeCloseTo(3 / 3, 12);
});

it("takes the newest when there are more than asked for", async () => {
  for (const id of ["e1", "e2", "e3"]) await logExchange(store, id);
  await writeSnapshot({ store, file, limit: 2, ...reward });
  expect(lines().map((record) => record.id)).toEqual(["e2", "e3"]);
});

describe("which exchanges a run takes", () => {
  const at = (minute: number) => new Date(Date.parse("2026-03-01T11:00:00Z") + minute * 60_000);
  const ids = () => lines().map((record) => record.id);

  beforeEach(async () => {
    for (const [index, id] of ["e1", "e2", "e3", "e4"].entries()) {
      await logExchange(store, id, { outcome: { completedAt: at(index) } });
    }
    await insertRun(store, "before");
    await store.lineage.take(
      "before",
      [
        { id: "e3", reward: 0 },
        { id: "e4", reward: 0 },
      ],
      at(10).toISOString(),
    );
  });

  it("prefers what its line of adapters has not used, and fills up with the rest", async () => {
    const snapshot = await writeSnapshot({ store, file, limit: 3, ...reward, usedBy: ["before"] });
    expect(ids()).toEqual(["e1", "e2", "e4"]);
    expect(snapshot).toMatchObject({ exchanges: 3, fresh: 2 });
    // Another line, after a roll-back say, has used none.
    await writeSnapshot({ store, file, limit: 3, ...reward });
    expect(ids()).toEqual(["e2", "e3", "e4"]);
  });

  it("re-opens a used exchange that is judged later, with its new reward, and not one judged before", async () => {
    await store.annotations.put("e4", "ben", { label: "ok" }, at(9));
    await store.annotations.put("e3", "ben", { label: "good" }, at(11));
    const weighed = (logged: ExchangeRecord["reward"], value: number) => rejudge(logged, value, 4);
    const snapshot = await writeSnapshot({ store, file, limit: 3, ...reward, rejudge: weighed, usedBy: ["before"] });
    expect(ids()).toEqual(["e1", "e2", "e3"]);
    expect(snapshot.fresh).toBe(3);
    expect(lines().at(-1)?.reward.terms.annotation).toBeGreaterThan(0);
    // Used again, it waits until somebody says something new; the same words are not new.
    await insertRun(store, "second");
    await store.lineage.take("second", [{ id: "e3", reward: 0 }], at(12).toISOString());
    await store.annotations.put("e3", "ben", { label: "good" }, at(13));
    const used = { usedBy: ["before", "second"] };
    expect(await writeSnapshot({ store, file, limit: 4, ...reward, ...used })).toMatchObject({ fresh: 2 });
    await store.annotations.put("e3", "ben", { label: "toxic" }, at(14));
    expect(await writeSnapshot({ store, file, limit: 4, ...reward, ...used })).toMatchObject({ fresh: 3 });
  });

  it("does not call used what the run had in its snapshot and in none of its steps", async () => {
    await store.lineage.recordSteps("before", [{ step: 1, exchanges: ["e4"] }]);
    await writeSnapshot({ store, file, limit: 3, ...reward, usedBy: ["before"] });
    expect(ids()).toEqual(["e1", "e2", "e3"]);
  });

  it("leaves no place to what cannot be trained on", async () => {
    await logExchange(store, "old", { outcome: { reward: { version: "reward-0", total: 1, terms: {} } } });
    await logExchange(store, "stale", { accepted: { adapter: { name: "rejoinder", version: 9, sha256: "ff" } } });
    const snapshot = await writeSnapshot({ store, file, limit: 4, ...reward, staleness: { version: 1, most: 4 } });
    expect(ids()).toEqual(["e1", "e2", "e3", "e4"]);
    expect(snapshot.excluded).toEqual({ other_reward_version: 1, stale: 1 });
  });

  it("is on record before the file is there", async () => {
    await writeSnapshot({ store, file, limit: 3, ...reward });
    expect((await store.lineage.exchangeIdsOf(["run"])).sort()).toEqual(["e2", "e3", "e4"]);
    expect(await store.lineage.usesOf("e2")).toMatchObject([{ runId: "run", reward: 0.5 }]);
  });
});

it("leaves held-out conversations to the gate", async () => {
  const all = Array.from({ length: 20 }, (_, i) => `e${i}`);
  for (const id of all) await logExchange(store, id);
  const snapshot = await writeSnapshot({ store, file, limit: 100, ...reward, holdoutShare: 0.5 });
  const kept = all.filter((id) => !isHeldOut(`conversation of ${id}`, 0.5));
  expect(lines().map((record) => record.id)).toEqual(kept);
  expect(snapshot.excluded).toEqual({ held_out: 20 - kept.length });
});

it("is an empty file when nothing may train", async () => {
  expect(await writeSnapshot({ store, file, limit: 2, ...reward })).toMatchObject({ exchanges: 0 });
  expect(readFileSync(file, "utf8")).toBe("");
});

it.each([
  [{ logProbs: [-1] }, "misaligned_log_probs"],
  [{ logProbs: [-1, Number.NaN] }, "misaligned_log_probs"],
  [{ reward: { version: "reward-1", total: Number.NaN, terms: {} } }, "no_reward"],
  [{ reward: { version: "reward-2", total: 1, terms: {} } }, "other_reward_version"],
  [{ finishReason: "cancelled" as const }, "cut"],
  [{ consent: false }, "no_consent"],
  [{ promptTokens: [] }, "empty"],
])("leaves out a record with %o", async (change, reason) => {
  await logExchange(store, "e1");
  await writeSnapshot({ store, file, limit: 1, ...reward });
  const [record] = lines();
  expect(record && reasonToExclude({ ...record, ...change }, reward.rewardVersion)).toBe(reason);
});
