import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { rejudgeReward } from "../../reward/combine.ts";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "./sample-log.ts";
import { reasonToExclude, writeSnapshot } from "./snapshot.ts";

let folder: string;
let file: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-snapshot-"));
  file = join(folder, "snapshot.jsonl");
  store = await openStore(":memory:");
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const reward = { rewardVersion: "reward-1", rejudge: (record: ExchangeRecord) => record.reward };

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
  expect(readdirSync(folder).sort()).toEqual(["snapshot.jsonl", "snapshot.jsonl.sha256"]);
});

it("judges anew with what annotators have said since the exchange was logged", async () => {
  await logExchange(store, "e1");
  await logExchange(store, "e2");
  await store.annotations.put("e2", "ben", { label: "toxic", severity: 4 }, new Date());
  const rejudge = (record: ExchangeRecord) => rejudgeReward(record.reward, record.annotations);
  await writeSnapshot({ store, file, limit: 100, ...reward, rejudge });
  // The logged 0.5, and a "toxic" of severity 4 out of 5 takes 4 * 4/5 = 3.2 off it.
  expect(lines().map((record) => record.reward.total)).toEqual([0.5, expect.closeTo(-2.7, 12)]);
  expect(lines()[1]?.annotations).toMatchObject([{ label: "toxic", severity: 4, annotator: "ben" }]);
});

it("takes the newest when there are more than asked for", async () => {
  for (const id of ["e1", "e2", "e3"]) await logExchange(store, id);
  await writeSnapshot({ store, file, limit: 2, ...reward });
  expect(lines().map((record) => record.id)).toEqual(["e2", "e3"]);
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
