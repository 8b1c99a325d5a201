import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toRecord } from "./exchange-mapping.ts";
import type { AcceptedExchange, ExchangeOutcome } from "./exchanges.ts";
import { MisalignedLogProbsError } from "./exchanges.ts";
import { openStore, type Store } from "./index.ts";

let folder: string;
let store: Store;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-store-"));
  store = await openStore(join(folder, "deep", "rejoinder.sqlite"));
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

function accepted(id: string, change: Partial<AcceptedExchange> = {}): AcceptedExchange {
  return {
    id,
    conversationId: "c1",
    owner: "ann",
    clientMessageId: `m-${id}`,
    source: "socket",
    createdAt: new Date("2026-01-02T03:04:05.678Z"),
    messages: [{ role: "user", content: "Those  people \u0000 are lazy \n" }],
    promptTokens: [1, 2, 3],
    sampling: { temperature: 0.8, topK: 0, topP: 0.95, repetitionPenalty: 1, seed: 7 },
    maxTokens: 64,
    adapter: { name: "rejoinder", version: 1, sha256: "ab" },
    consent: true,
    ...change,
  };
}

const outcome: ExchangeOutcome = {
  completedAt: new Date("2026-01-02T03:04:06Z"),
  reply: "Many of them work two jobs.",
  replyTokens: [4, 5],
  logProbs: [-0.5, -1.25],
  finishReason: "stop",
  toxicity: { prompt: 0.75, reply: 0.125, attributes: { INSULT: 0.25 } },
  reward: { version: "r1", total: 0.5, terms: { toxicity: 0.5 } },
};

test("an accepted exchange is on disk before anyone is told, and comes back exactly as typed", async () => {
  await store.exchanges.accept(accepted("e1"));
  const other = new DatabaseSync(join(folder, "deep", "rejoinder.sqlite"), { readOnly: true });
  expect(other.prepare("select id, status from exchanges").all()).toEqual([{ id: "e1", status: "streaming" }]);
  other.close();
  await store.exchanges.complete("e1", outcome);
  const exchange = await store.exchanges.get("e1");
  expect(exchange && toRecord(exchange)).toEqual({
    id: "e1",
    conversationId: "c1",
    createdAt: "2026-01-02T03:04:05.678Z",
    messages: [{ role: "user", content: "Those  people \u0000 are lazy \n" }],
    reply: "Many of them work two jobs.",
    promptTokens: [1, 2, 3],
    replyTokens: [4, 5],
    logProbs: [-0.5, -1.25],
    sampling: { temperature: 0.8, topK: 0, topP: 0.95, repetitionPenalty: 1, seed: 7 },
    finishReason: "stop",
    adapter: { name: "rejoinder", version: 1, sha256: "ab" },
    toxicity: { prompt: 0.75, reply: 0.125 },
    reward: { version: "r1", total: 0.5, terms: { toxicity: 0.5 } },
    annotations: [],
    consent: true,
  });
});

test("the same client message of one owner is refused a second row, another owner's is not", async () => {
  await store.exchanges.accept(accepted("e1", { clientMessageId: "m" }));
  await expect(store.exchanges.accept(accepted("e2", { clientMessageId: "m" }))).rejects.toThrow(/UNIQUE/);
  await store.exchanges.accept(accepted("e3", { clientMessageId: "m", owner: "bob", conversationId: "c2" }));
  expect((await store.exchanges.findByClientMessageId("ann", "m"))?.id).toBe("e1");
  expect((await store.exchanges.findByClientMessageId("bob", "m"))?.id).toBe("e3");
});

test("a reply with missing or impossible log-probs is refused and stays incomplete", async () => {
  await store.exchanges.accept(accepted("e1"));
  for (const logProbs of [[-0.5], [-0.5, Number.NaN], [-0.5, 0.3]]) {
    await expect(store.exchanges.complete("e1", { ...outcome, logProbs })).rejects.toThrow(MisalignedLogProbsError);
  }
  const exchange = await store.exchanges.get("e1");
  expect(exchange?.status).toBe("streaming");
  expect(exchange && toRecord(exchange)).toBeNull();
});

test("replies that were streaming when the server died are marked cut and never train", async () => {
  await store.exchanges.accept(accepted("e1"));
  await store.exchanges.accept(accepted("e2"));
  await store.exchanges.complete("e2", outcome);
  await store.close();
  store = await openStore(join(folder, "deep", "rejoinder.sqlite"));
  expect(await store.exchanges.cutAllStreaming(new Date())).toBe(1);
  expect(await store.exchanges.get("e1")).toMatchObject({ status: "cut", finishReason: "error" });
  expect((await store.exchangeQueries.trainable([])).map(({ id }) => id)).toEqual(["e2"]);
});

test("only complete exchanges with consent that ended by themselves may train", async () => {
  const ends = { e1: "stop", e2: "length", e3: "cancelled", e4: "stop" } as const;
  for (const [id, finishReason] of Object.entries(ends)) {
    await store.exchanges.accept(accepted(id, { consent: id !== "e4" }));
    await store.exchanges.complete(id, { ...outcome, finishReason });
  }
  expect((await store.exchangeQueries.trainable([])).map(({ id }) => id)).toEqual(["e2", "e1"]);
  expect(await store.exchangeQueries.countTrainableSince(null)).toBe(2);
  expect(await store.exchangeQueries.countTrainableSince("2026-01-02T03:04:06.000Z")).toBe(0);
});

test("pages come newest first, follow their cursor to the end, and count everything that matches", async () => {
  for (let index = 0; index < 5; index += 1) await store.exchanges.accept(accepted(`e${index}`));
  const first = await store.exchangeQueries.page({}, 2, null);
  expect(first.items.map(({ id }) => id)).toEqual(["e4", "e3"]);
  expect(first.total).toBe(5);
  const second = await store.exchangeQueries.page({}, 2, first.nextCursor);
  const third = await store.exchangeQueries.page({}, 2, second.nextCursor);
  expect([...second.items, ...third.items].map(({ id }) => id)).toEqual(["e2", "e1", "e0"]);
  expect(third.nextCursor).toBeNull();
});

test("filters narrow by label, toxicity and words, with wildcards taken as plain characters", async () => {
  await store.exchanges.accept(accepted("e1", { messages: [{ role: "user", content: 'He said "100%"' }] }));
  await store.exchanges.accept(accepted("e2"));
  await store.exchanges.complete("e2", outcome);
  await store.annotations.put("e2", "carl", { label: "good" }, new Date());
  const ids = async (filter: Parameters<typeof store.exchangeQueries.page>[0]) =>
    (await store.exchangeQueries.page(filter, 10, null)).items.map(({ id }) => id);
  expect(await ids({ label: "good" })).toEqual(["e2"]);
  expect(await ids({ label: "toxic" })).toEqual([]);
  expect(await ids({ minPromptToxicity: 0.7 })).toEqual(["e2"]);
  expect(await ids({ text: 'SAID "100%' })).toEqual(["e1"]);
  expect(await ids({ text: "0%0" })).toEqual([]);
  expect(await ids({ text: "two jobs" })).toEqual(["e2"]);
});

test("history holds the completed turns of one conversation in order", async () => {
  await store.exchanges.accept(accepted("e1", { messages: [{ role: "user", content: "one" }] }));
  await store.exchanges.complete("e1", outcome);
  await store.exchanges.accept(accepted("e2", { messages: [{ role: "user", content: "two" }] }));
  await store.exchanges.accept(accepted("e3", { conversationId: "c2", messages: [{ role: "user", content: "x" }] }));
  await store.exchanges.complete("e3", outcome);
  expect(await store.exchanges.history("c1", 10)).toEqual([{ user: "one", reply: outcome.reply }]);
});

test("an annotator's second judgement replaces the first", async () => {
  await store.exchanges.accept(accepted("e1"));
  await store.exchanges.complete("e1", outcome);
  await store.annotations.put("e1", "carl", { label: "toxic", severity: 3 }, new Date(0));
  const second = await store.annotations.put("e1", "carl", { label: "ok" }, new Date(1));
  expect(await store.annotations.list(["e1"])).toEqual([second]);
  expect(second).toMatchObject({ label: "ok", severity: null });
});

test("the deployment log refuses changes", async () => {
  const to = { name: "rejoinder", version: 2, sha256: "cd" };
  const entry = { at: new Date(0).toISOString(), actor: "op", action: "promote" as const, from: null, to, reason: "r" };
  await store.adapters.deploy([entry], []);
  await expect(sql`update deployments set actor = 'x'`.execute(store.db)).rejects.toThrow(/append-only/);
  await expect(sql`delete from deployments`.execute(store.db)).rejects.toThrow(/append-only/);
  expect(await store.adapters.deployments()).toEqual([{ id: 1, ...entry }]);
});
