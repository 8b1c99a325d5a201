import type { AddressInfo } from "node:net";
import express, { type NextFunction, type Request, type Response } from "express";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeError } from "../error-description.ts";
import type { FanOut } from "../ports.ts";
import type { AlertEvent } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { logExchange } from "../training/sample-log.ts";
import { createBrigadeWatch } from "./brigade-watch.ts";
import { createAnnotationRoutes } from "./routes.ts";

let store: Store;
let url: string;
let close: () => void;
let alerts: AlertEvent[];
const fanOut: FanOut = {
  chat: () => undefined,
  ops: (event, payload) => {
    if (event === "alert") alerts.push(payload as AlertEvent);
  },
};
beforeEach(async () => {
  store = await openStore(":memory:");
  const watch = createBrigadeWatch({ store, fanOut, settleMs: 0 });
  alerts = [];
  const app = express().use(express.json(), createAnnotationRoutes({ store, watch }));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const { status, error: told } = describeError(error);
    response.status(status).json({ error: told });
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => server.close();
});
afterEach(async () => {
  close();
  await store.close();
});

async function judge(id: string, body: unknown, annotator?: string) {
  const response = await fetch(`${url}/api/exchanges/${id}/annotations`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(annotator === undefined ? {} : { "x-annotator": annotator }) },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

it("keeps one judgement an annotator and exchange, the latest", async () => {
  await logExchange(store, "e1");
  expect(await judge("e1", { label: "toxic", severity: 4, note: "insult" }, "ben")).toMatchObject({
    status: 201,
    body: { exchangeId: "e1", annotator: "ben", label: "toxic", severity: 4, note: "insult", rewrite: null },
  });
  await judge("e1", { label: "ok" }, "ben");
  await judge("e1", { label: "good", rewrite: "Please do not." });
  await judge("e1", { label: "good" }, encodeURIComponent("Zoë 博"));
  const [exchange] = await store.exchanges.getMany(["e1"]);
  expect(exchange?.annotations.map(({ annotator, label }) => [annotator, label])).toEqual([
    ["ben", "ok"],
    ["anonymous", "good"],
    ["Zoë 博", "good"],
  ]);
});

it.each([
  [{ label: "rude" }, /label/],
  [{ label: "toxic", severity: 6 }, /severity/],
  [{ label: "toxic", serverity: 2 }, /serverity/],
  [{ label: "toxic", rewrite: " " }, /rewrite/],
  [{}, /label/],
])("refuses %o and says where", async (body, where) => {
  await logExchange(store, "e1");
  expect(await judge("e1", body)).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_request", message: expect.stringMatching(where) } },
  });
  expect(await store.annotations.list()).toEqual([]);
});

it("refuses an exchange that does not exist", async () => {
  expect(await judge("nobody", { label: "ok" })).toMatchObject({
    status: 404,
    body: { error: { code: "unknown_exchange" } },
  });
});

it("serves the queue page by page, and refuses a cursor it never gave", async () => {
  for (const id of ["e1", "e2", "e3"]) await logExchange(store, id);
  const get = async (query: string) => (await fetch(`${url}/api/annotation/queue${query}`)).json();
  const page = await get("?limit=2");
  expect(page).toMatchObject({ items: [{ id: "e3" }, { id: "e2" }], total: 3 });
  expect(await get(`?limit=2&cursor=${page.nextCursor}`)).toMatchObject({ items: [{ id: "e1" }], nextCursor: null });
  expect(await get("?cursor=abc")).toMatchObject({ error: { code: "invalid_cursor" } });
  expect(await get("?limit=0")).toMatchObject({ error: { code: "invalid_request" } });
});

it("reports agreement over the exchanges that more than one annotator judged", async () => {
  for (const id of ["e1", "e2", "e3", "e4"]) await logExchange(store, id);
  const labels = { ann: ["good", "toxic", "good"], ben: ["good", "toxic", "ok"] };
  for (const [annotator, given] of Object.entries(labels)) {
    for (const [index, label] of given.entries()) await judge(`e${index + 1}`, { label }, annotator);
  }
  await judge("e4", { label: "ok" }, "ann");
  const report = await (await fetch(`${url}/api/annotation/agreement`)).json();
  // Kappa: po 2/3, pe (2/3)(1/3) + (1/3)(1/3) = 1/3. Alpha: n 6, n_c 3, 2, 1, coincidences on the diagonal 4:
  // 1 - 5 (6 - 4) / (36 - 14) = 6/11.
  expect(report).toMatchObject({ annotators: 2, exchanges: 4, overlapping: 3 });
  expect(report.alpha).toBeCloseTo(6 / 11, 12);
  expect(report.pairs).toEqual([{ annotators: ["ann", "ben"], items: 3, kappa: expect.closeTo(0.5, 12) }]);
});

it("sets a burst of flags aside, tells the operators once, and counts it when they accept it", async () => {
  for (let index = 0; index < 13; index++) {
    await logExchange(store, `e${index}`, { accepted: { conversationId: "one conversation" } });
    await judge(`e${index}`, { label: "toxic" }, "mallory");
  }
  await expect
    .poll(() => alerts)
    .toMatchObject([{ code: "annotation_brigading", message: expect.stringContaining("mallory") }]);
  const get = async (path: string) => (await fetch(`${url}${path}`)).json();
  const { items } = await get("/api/annotation/suspicions");
  // "ann" is the owner of every sample exchange: one person, and one conversation.
  expect(items).toMatchObject([
    { kind: "burst", annotators: ["mallory"] },
    { kind: "burst", annotators: ["mallory"] },
  ]);
  expect(items[0].annotations).toHaveLength(13);
  expect(await get("/api/annotation/agreement")).toMatchObject({ weights: [] });

  const body = JSON.stringify({ annotations: items[0].annotations, review: "accepted" });
  const headers = { "content-type": "application/json" };
  const reviewed = await fetch(`${url}/api/annotation/reviews`, { method: "PUT", headers, body });
  expect(await reviewed.json()).toEqual({ reviewed: 13 });
  expect(await get("/api/annotation/suspicions")).toMatchObject({ items: [], total: 0 });
  expect(await get("/api/annotation/agreement")).toMatchObject({
    weights: [{ annotator: "mallory", weight: 0.5, agreement: null, shared: 0 }],
  });
});
