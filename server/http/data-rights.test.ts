/** What a person may ask for about their data, over HTTP and sockets, on the whole server around a scripted engine. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { DoneEvent, MessageAck } from "../protocol/index.ts";
import { type ChatSocket, startTestServer, type TestServer } from "../testing/test-server.ts";
import { insertAdapter, insertRun } from "../training/sample-run.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

async function call(method: string, path: string, body?: unknown) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

let sent = 0;
async function send(socket: ChatSocket, text: string): Promise<string> {
  sent += 1;
  const clientMessageId = `message ${sent}`;
  const ack: MessageAck = await socket.emitWithAck("message", { text, clientMessageId, options: { consent: true } });
  if (!ack.ok) throw new Error(ack.error.message);
  return ack.exchangeId;
}

async function say(socket: ChatSocket, text: string): Promise<string> {
  const done = new Promise<DoneEvent>((resolve) => socket.once("done", resolve));
  const id = await send(socket, text);
  await done;
  return id;
}

test("a person's data goes, also what is being said to them at that moment, and other people's stays", async () => {
  const dora = await server.connect({ visitor: "dora" });
  const carl = await server.connect({ visitor: "carl" });
  const hers = await say(dora, "this is mine");
  const his = await say(carl, "this is his");
  server.engine.script = { reply: () => "x".repeat(200), delayMs: 20 };
  await send(dora, "and this");
  expect(await call("DELETE", "/api/users/dora/data")).toMatchObject({
    status: 200,
    body: { exchanges: 2, conversations: 2, runs: [], adapters: [], live: false, pending: false },
  });
  expect(await call("GET", `/api/exchanges/${hers}`)).toMatchObject({ status: 404 });
  expect(await call("GET", `/api/lineage/exchanges/${hers}`)).toMatchObject({ status: 404 });
  expect(await dora.emitWithAck("resume", { exchangeId: hers, fromIndex: 0 })).toMatchObject({ ok: false });
  expect(await call("GET", "/api/exchanges")).toMatchObject({ body: { items: [{ id: his }], total: 1 } });
  expect(await call("DELETE", "/api/users/dora/data")).toMatchObject({ status: 200, body: { exchanges: 0 } });
});

test("withdrawn consent names the adapters that learned from the exchange, and is listed with them", async () => {
  const socket = await server.connect();
  const id = await say(socket, "take this back");
  await insertRun(server.store, "run");
  await server.store.lineage.take("run", [{ id, reward: 0.5 }], new Date().toISOString());
  await insertAdapter(server.store, 1, { runId: "run" });
  expect(await call("PUT", `/api/exchanges/${id}/consent`, { consent: false })).toMatchObject({
    status: 200,
    body: { consent: false, adapters: [{ version: 1 }] },
  });
  expect(await call("GET", "/api/lineage/adapters/1")).toMatchObject({
    body: { withdrawn: 1, exchanges: [{ exchangeId: id, consent: false, steps: null }], adapter: { erasedData: null } },
  });
  expect(await server.store.exchangeQueries.trainable([])).toEqual([]);
  expect(await call("PUT", `/api/exchanges/${id}/consent`, { consent: "no" })).toMatchObject({ status: 400 });
  expect(await call("PUT", "/api/exchanges/nobody/consent", { consent: true })).toMatchObject({ status: 404 });
  expect(await call("GET", "/api/lineage/adapters/7")).toMatchObject({ status: 404 });
});

test("history is re-scored in the background, while people chat", async () => {
  const socket = await server.connect();
  const id = await say(socket, "hello");
  await server.store.db.updateTable("exchanges").set({ reward_version: "0", reward_total: 9 }).execute();
  expect(await call("GET", "/api/rewards/re-score")).toMatchObject({ body: { state: "idle", scored: 0, total: 1 } });
  expect(await call("POST", "/api/rewards/re-score")).toMatchObject({ status: 202, body: { version: "1" } });
  await say(socket, "hello again");
  await expect
    .poll(async () => (await call("GET", "/api/rewards/re-score")).body, { timeout: 5000 })
    .toMatchObject({ state: "done", scored: 2, total: 2 });
  expect(await server.store.exchanges.get(id)).toMatchObject({ reward: { version: "1", total: 1 } });
  expect(await server.store.rewards.earlierOf(id)).toMatchObject([{ version: "0", total: 9 }]);
});

test("a clean start is refused while nothing has been erased", async () => {
  expect(await call("POST", "/api/training/runs", { algorithm: "ppo", from: "clean" })).toMatchObject({
    status: 409,
    body: { error: { code: "nothing_erased" } },
  });
});
