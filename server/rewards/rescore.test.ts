import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Scorer } from "../chat/scorer.ts";
import { createSqliteJobQueue } from "../jobs/sqlite-queue.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "../training/sample-log.ts";
import { insertRun } from "../training/sample-run.ts";
import { writeSnapshot } from "../training/snapshot.ts";
import { rescore } from "./rescore.ts";
import { createRescoreService } from "./service.ts";

let folder: string;
let store: Store;
let judged: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-rescore-"));
  store = await openStore(join(folder, "rejoinder.sqlite"));
  judged = [];
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Worth the length of the reply; `refuse` names replies that it cannot judge. */
function lengthScorer(version: string, refuse: string[] = []): Scorer {
  return {
    name: "length",
    version,
    async judge({ reply }) {
      if (refuse.includes(reply)) throw new Error("no judgement of this one");
      judged.push(reply);
      return {
        toxicity: { prompt: 0.25, reply: 0.5, attributes: { INSULT: 0.125 } },
        reward: { version, total: reply.length, terms: { length: reply.length } },
      };
    },
    attributes: async () => ({}),
  };
}

const reply = (text: string) => ({ outcome: { reply: text } });

it("scores history anew and keeps every earlier score", async () => {
  await logExchange(store, "e1", reply("four"));
  await logExchange(store, "e2", reply("eleven more"));
  const at = new Date("2026-03-02T00:00:00Z");
  expect(await rescore({ store, scorer: lengthScorer("length-1"), now: () => at })).toEqual({
    scored: 2,
    total: 2,
    failed: [],
  });
  await rescore({ store, scorer: lengthScorer("length-2") });
  expect(await store.exchanges.get("e1")).toMatchObject({
    toxicity: { prompt: 0.25, reply: 0.5, attributes: { INSULT: 0.125 } },
    reward: { version: "length-2", total: 4, terms: { length: 4 } },
  });
  expect(await store.rewards.earlierOf("e1")).toMatchObject([
    {
      version: "reward-1",
      total: 0.5,
      terms: { toxicity: 0.5 },
      toxicity: { prompt: 0.75, reply: 0.125, attributes: { INSULT: 0.25 } },
      replacedAt: at.toISOString(),
    },
    { version: "length-1", total: 4 },
  ]);
});

it("makes exchanges of another version trainable again", async () => {
  await insertRun(store, "run");
  for (const id of ["e1", "e2"]) await logExchange(store, id, reply("four"));
  const file = join(folder, "snapshot.jsonl");
  const snapshot = { store, runId: "run", file, limit: 10, usedBy: [], rewardVersion: "length-1" };
  const rejudge = (logged: { version: string; total: number; terms: Record<string, number> }) => logged;
  expect(await writeSnapshot({ ...snapshot, rejudge })).toMatchObject({
    exchanges: 0,
    excluded: { other_reward_version: 2 },
  });
  await rescore({ store, scorer: lengthScorer("length-1") });
  expect(await writeSnapshot({ ...snapshot, rejudge })).toMatchObject({ exchanges: 2, excluded: {} });
});

it("goes on where it was stopped and scores nothing twice", async () => {
  for (let index = 0; index < 40; index++) await logExchange(store, `e${index}`, reply(`reply ${index}`));
  const stop = new AbortController();
  const scorer = lengthScorer("length-1");
  const first = rescore({ store, scorer, signal: stop.signal, onProgress: () => stop.abort(new Error("stopped")) });
  await expect(first).rejects.toThrow("stopped");
  const before = judged.length;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(40);
  expect(await rescore({ store, scorer })).toMatchObject({ scored: 40 });
  await rescore({ store, scorer });
  expect(judged).toHaveLength(40);
  expect(new Set(judged).size).toBe(40);
});

it("scores what has no score yet, and leaves alone what never ended", async () => {
  await logExchange(store, "unscored", reply("unscored"));
  await store.db
    .updateTable("exchanges")
    .set({ reward_version: null, reward_total: null, reward_terms: null, prompt_toxicity: null, reply_toxicity: null })
    .execute();
  await logExchange(store, "cut");
  await store.exchanges.cut("cut", "They", new Date());
  expect(await rescore({ store, scorer: lengthScorer("length-1") })).toEqual({ scored: 1, total: 1, failed: [] });
  expect(await store.exchanges.get("unscored")).toMatchObject({ reward: { total: 8 }, toxicity: { reply: 0.5 } });
  expect(await store.rewards.earlierOf("unscored")).toEqual([]);
});

it("passes over what the reward cannot judge, and says so", async () => {
  await logExchange(store, "e1", reply("bad"));
  await logExchange(store, "e2", reply("fine"));
  const queue = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  try {
    const service = createRescoreService({ store, queue, scorer: lengthScorer("length-1", ["bad"]) });
    expect(await service.status()).toMatchObject({ state: "idle", scored: 0, total: 2 });
    expect((await service.start()).version).toBe("length-1");
    await expect.poll(async () => (await service.status()).state, { timeout: 5000 }).toBe("failed");
    expect(await service.status()).toMatchObject({
      scored: 1,
      total: 2,
      error: "1 exchanges could not be scored and keep what they had; the first, e1: no judgement of this one",
    });
    expect((await store.exchanges.get("e1"))?.reward?.version).toBe("reward-1");
  } finally {
    await queue.close();
  }
});

it("is taken up again by the next server when its server stops", async () => {
  for (let index = 0; index < 64; index++) await logExchange(store, `e${index}`, reply(`reply ${index}`));
  const first = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  await createRescoreService({ store, queue: first, scorer: lengthScorer("length-1") }).start();
  await expect.poll(() => judged.length).toBeGreaterThan(0);
  await first.close();
  const second = createSqliteJobQueue({ db: store.db, pollMs: 20 });
  try {
    const service = createRescoreService({ store, queue: second, scorer: lengthScorer("length-1") });
    await expect.poll(() => service.status(), { timeout: 5000 }).toMatchObject({ state: "done", scored: 64 });
    expect(judged).toHaveLength(64);
  } finally {
    await second.close();
  }
});
