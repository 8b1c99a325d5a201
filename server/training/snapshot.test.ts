import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
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

const asLogged = (record: ExchangeRecord) => record.reward;

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
  const snapshot = await writeSnapshot({ store, file, limit: 100, rejudge: asLogged });
  expect(lines().map((record) => record.id)).toEqual(["first", "at its length limit"]);
  expect(snapshot).toMatchObject({ exchanges: 2, excluded: { empty: 1 } });
});

it("keeps what was sampled to the digit and names its own hash", async () => {
  const logProbs = [-0.123456789012345, -7.5];
  await logExchange(store, "e1", { outcome: { logProbs } });
  const { sha256 } = await writeSnapshot({ store, file, limit: 100, rejudge: asLogged });
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
  const rejudge = (record: ExchangeRecord) => {
    const flagged = record.annotations.some((annotation) => annotation.label === "toxic");
    return flagged ? { ...record.reward, total: -1 } : record.reward;
  };
  await writeSnapshot({ store, file, limit: 100, rejudge });
  expect(lines().map((record) => record.reward.total)).toEqual([0.5, -1]);
  expect(lines()[1]?.annotations).toMatchObject([{ label: "toxic", severity: 4, annotator: "ben" }]);
});

it("takes the newest when there are more than asked for", async () => {
  for (const id of ["e1", "e2", "e3"]) await logExchange(store, id);
  await writeSnapshot({ store, file, limit: 2, rejudge: asLogged });
  expect(lines().map((record) => record.id)).toEqual(["e2", "e3"]);
});

it("is an empty file when nothing may train", async () => {
  expect(await writeSnapshot({ store, file, limit: 2, rejudge: asLogged })).toMatchObject({ exchanges: 0 });
  expect(readFileSync(file, "utf8")).toBe("");
});

it.each([
  [{ logProbs: [-1] }, "misaligned_log_probs"],
  [{ logProbs: [-1, Number.NaN] }, "misaligned_log_probs"],
  [{ reward: { version: "r", total: Number.NaN, terms: {} } }, "no_reward"],
  [{ finishReason: "cancelled" as const }, "cut"],
  [{ consent: false }, "no_consent"],
  [{ promptTokens: [] }, "empty"],
])("leaves out a record with %o", async (change, reason) => {
  await logExchange(store, "e1");
  await writeSnapshot({ store, file, limit: 1, rejudge: asLogged });
  const [record] = lines();
  expect(record && reasonToExclude({ ...record, ...change })).toBe(reason);
});
