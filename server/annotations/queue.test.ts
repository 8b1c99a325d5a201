import { afterEach, beforeEach, expect, it } from "vitest";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "../training/sample-log.ts";
import { annotationQueue } from "./queue.ts";

let store: Store;
beforeEach(async () => {
  store = await openStore(":memory:");
});
afterEach(() => store.close());

async function log(id: string, replyToxicity: number, feedback = 0): Promise<void> {
  await logExchange(store, id, {
    outcome: { toxicity: { prompt: 0.5, reply: replyToxicity, attributes: {} } },
  });
  await store.exchanges.setFeedback(id, "ann", feedback, null);
}

const first = { limit: 50, cursor: null, withJudged: true };

async function idsOf(annotator: string): Promise<string[]> {
  return (await annotationQueue(store, { ...first, annotator })).items.map((item) => item.id);
}

it("begins with what this annotator has not labelled, there with thumbs down, then by toxicity, then the newest", async () => {
  await log("mild", 0.1);
  await log("rude", 0.9);
  await log("mild but flagged", 0.2, -1);
  await log("mild and praised", 0.1, 1);
  expect(await idsOf("ben")).toEqual(["mild but flagged", "rude", "mild and praised", "mild"]);
  await store.annotations.put("mild but flagged", "ben", { label: "ok" }, new Date());
  expect(await idsOf("ben")).toEqual(["rude", "mild and praised", "mild", "mild but flagged"]);
  expect(await idsOf("cy")).toEqual(["mild but flagged", "rude", "mild and praised", "mild"]);
});

it("offers no reply that is empty, cut or still streaming", async () => {
  await log("whole", 0.1);
  await log("cut", 0.9);
  await store.exchanges.cut("cut", "They", new Date());
  await logExchange(store, "empty", { outcome: { reply: "", replyTokens: [], logProbs: [] } });
  const page = await annotationQueue(store, { ...first, annotator: "ben" });
  expect(page.items.map((item) => item.id)).toEqual(["whole"]);
  expect(page).toMatchObject({ nextCursor: null, total: 1 });
});

it("shows an annotator only their own judgement", async () => {
  await log("e1", 0.3);
  await store.annotations.put("e1", "ben", { label: "toxic", severity: 3 }, new Date());
  await store.annotations.put("e1", "cy", { label: "good" }, new Date());
  const [item] = (await annotationQueue(store, { ...first, annotator: "cy" })).items;
  expect(item?.annotations).toMatchObject([{ annotator: "cy", label: "good" }]);
});

it("leaves out what the annotator has judged, unless asked for it, and counts what waits", async () => {
  await log("e1", 0.3);
  await log("e2", 0.2);
  await store.annotations.put("e1", "ben", { label: "ok" }, new Date());
  const waiting = await annotationQueue(store, { ...first, annotator: "ben", withJudged: false });
  expect(waiting.items.map((item) => item.id)).toEqual(["e2"]);
  expect(waiting.total).toBe(1);
  expect(await idsOf("ben")).toEqual(["e2", "e1"]);
});

it.each([true, false])(
  "pages through everything once (judged ones too: %s), also while the annotator labels what was on the page before",
  async (withJudged) => {
    for (let index = 0; index < 25; index++) await log(`e${index}`, (index % 5) / 10 + 0.05);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof annotationQueue>> = await annotationQueue(store, {
        annotator: "ben",
        limit: 4,
        cursor,
        withJudged,
      });
      for (const { id } of page.items) {
        if (!seen.includes(id)) seen.push(id);
        await store.annotations.put(id, "ben", { label: "ok" }, new Date());
      }
      cursor = page.nextCursor;
    } while (cursor !== null && seen.length < 25);
    expect(new Set(seen).size).toBe(25);
  },
);

it.each(["nonsense", Buffer.from("[1,2]").toString("base64url"), Buffer.from("{}").toString("base64url")])(
  "refuses the cursor %s",
  async (cursor) => {
    await expect(annotationQueue(store, { ...first, annotator: "ben", cursor })).rejects.toMatchObject({
      code: "invalid_cursor",
    });
  },
);
