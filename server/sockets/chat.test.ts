import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { DoneEvent, FailedEvent, MessageAck, MessageRequest, TokenEvent } from "../protocol/index.ts";
import { type ChatSocket, startTestServer, type TestServer, unscorable } from "../testing/test-server.ts";

// The machine may be busy with other things; nothing here depends on how long it takes.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const waitFor = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 30_000, interval: 20 });
const graceMs = 1500;

let server: TestServer;
let socket: ChatSocket;

beforeEach(async () => {
  server = await startTestServer({ maxConcurrent: 2, maxQueue: 0, maxMessageChars: 1000 }, graceMs);
  socket = await server.connect();
});
afterEach(() => server.close());

function collect(from: ChatSocket) {
  const tokens: TokenEvent[] = [];
  const done: DoneEvent[] = [];
  const failed: FailedEvent[] = [];
  from.on("token", (event) => tokens.push(event));
  from.on("done", (event) => done.push(event));
  from.on("failed", (event) => failed.push(event));
  return { tokens, done, failed };
}

const send = (to: ChatSocket, request: Partial<MessageRequest>): Promise<MessageAck> =>
  to.emitWithAck("message", { clientMessageId: crypto.randomUUID(), text: "You are bad", ...request });

async function accepted(to: ChatSocket, request: Partial<MessageRequest> = {}) {
  const ack = await send(to, request);
  if (!ack.ok) throw new Error(ack.error.message);
  return ack;
}

test("a message is logged, streamed by gap-free indexes, scored and completed", async () => {
  const { tokens, done } = collect(socket);
  const text = " You  are <|user|> bad \n";
  const { exchangeId, conversationId } = await accepted(socket, { text, options: { consent: true, seed: 7, topK: 3 } });
  await waitFor(() => expect(done).toHaveLength(1));
  expect(tokens.map(({ index }) => index)).toEqual([...tokens.keys()]);
  expect(tokens.map((token) => token.text).join("")).toBe("I hear you.");
  expect(done[0]).toEqual({
    exchangeId,
    text: "I hear you.",
    finishReason: "stop",
    tokens: 12,
    adapter: { name: "base", version: 0, sha256: server.engine.model.sha256 },
    toxicity: { prompt: 0.25, reply: 0, attributes: { TOXICITY: 0 } },
  });
  expect(await server.store.exchanges.get(exchangeId)).toMatchObject({
    conversationId,
    status: "complete",
    messages: [{ role: "user", content: text }],
    promptTokens: server.engine.renderChat([{ role: "user", content: text }]),
    reply: "I hear you.",
    logProbs: Array(12).fill(-0.5),
    sampling: { temperature: 0.5, topK: 3, topP: 0.95, repetitionPenalty: 1, seed: 7 },
    reward: { version: "1", total: 1, terms: { toxicity: 1 } },
    consent: true,
  });
  expect(server.engine.requests[0]).toMatchObject({ adapter: null, maxTokens: 64, sampling: { seed: 7, topK: 3 } });
});

test("a reply that cannot be scored reaches the person all the same, and is logged to be scored later", async () => {
  const { done, failed } = collect(socket);
  server.engine.script = { reply: () => unscorable, delayMs: 0 };
  const { exchangeId, conversationId } = await accepted(socket, { options: { consent: true } });
  await waitFor(() => expect(done).toHaveLength(1));
  expect(done[0]).toMatchObject({ exchangeId, text: unscorable, finishReason: "stop", toxicity: null });
  expect(failed).toEqual([]);
  expect(await server.store.exchanges.get(exchangeId)).toMatchObject({
    status: "complete",
    reply: unscorable,
    finishReason: "stop",
    toxicity: null,
    reward: null,
  });
  expect(server.logged.join("")).toContain("the reward model died");
  // The conversation goes on, and knows what was said.
  server.engine.script = { reply: () => "I hear you.", delayMs: 0 };
  const next = await accepted(socket, { conversationId });
  await waitFor(() => expect(done).toHaveLength(2));
  expect((await server.store.exchanges.get(next.exchangeId))?.messages.map(({ content }) => content)).toContain(
    unscorable,
  );
});

test("a conversation shows the model its earlier turns, oldest dropped first when they no longer fit", async () => {
  const { done } = collect(socket);
  const say = async (text: string, conversationId?: string) => {
    const before = done.length;
    const ack = await accepted(socket, { text, ...(conversationId && { conversationId }) });
    await waitFor(() => expect(done).toHaveLength(before + 1));
    return ack;
  };
  const first = await say("a".repeat(100));
  await say("b".repeat(20), first.conversationId);
  const third = await say("c".repeat(60), first.conversationId);
  // 256 tokens less 64 for the reply: the 100 of the first turn no longer fit beside the others.
  const { messages } = (await server.store.exchanges.get(third.exchangeId)) ?? {};
  expect(messages?.map(({ role, content }) => `${role} ${content.slice(0, 1)}`)).toEqual([
    "user b",
    "assistant I",
    "user c",
  ]);
});

test("the same client message sent again, even at once, gives the same exchange", async () => {
  const { done } = collect(socket);
  const clientMessageId = "m1";
  const [first, second] = await Promise.all([
    accepted(socket, { clientMessageId }),
    accepted(socket, { clientMessageId }),
  ]);
  await waitFor(() => expect(done).toHaveLength(1));
  const third = await accepted(await server.connect(), { clientMessageId, text: "something else" });
  expect([second, third]).toEqual([first, first]);
  expect((await server.store.exchangeQueries.page({}, 10, null)).total).toBe(1);
  const other = await accepted(await server.connect({ visitor: "someone-else" }), { clientMessageId });
  expect(other.exchangeId).not.toBe(first.exchangeId);
});

test("stop ends a reply at its next token and logs what was said", async () => {
  server.engine.script = { reply: () => "x".repeat(60), delayMs: 5 };
  const { tokens, done } = collect(socket);
  const { exchangeId } = await accepted(socket);
  await waitFor(() => expect(tokens.length).toBeGreaterThan(2));
  expect(await socket.emitWithAck("stop", { exchangeId })).toEqual({ ok: true });
  await waitFor(() => expect(done).toHaveLength(1));
  expect(done[0]).toMatchObject({ finishReason: "cancelled", text: tokens.map(({ text }) => text).join("") });
  expect(await server.store.exchanges.get(exchangeId)).toMatchObject({ status: "complete", finishReason: "cancelled" });
  expect(await server.store.exchangeQueries.trainable([])).toEqual([]);
});

test("a lost connection resumes from its next index, during the reply and after it", async () => {
  server.engine.script = { reply: () => "abcdefghijklmnopqrst", delayMs: 5 };
  const before = collect(socket);
  const { exchangeId } = await accepted(socket);
  await waitFor(() => expect(before.tokens.length).toBeGreaterThan(2));
  socket.disconnect();
  const seen = before.tokens.length;
  const again = await server.connect();
  const after = collect(again);
  expect(await again.emitWithAck("resume", { exchangeId, fromIndex: seen })).toEqual({ ok: true });
  await waitFor(() => expect(after.done).toHaveLength(1));
  expect([...before.tokens, ...after.tokens].map(({ index }) => index)).toEqual([...Array(20).keys()]);
  expect([...before.tokens, ...after.tokens].map(({ text }) => text).join("")).toBe("abcdefghijklmnopqrst");

  // Long after, only the whole text is known.
  await new Promise((resolve) => setTimeout(resolve, graceMs + 200));
  await again.emitWithAck("resume", { exchangeId, fromIndex: 5 });
  expect(after.done).toHaveLength(2);
  expect(after.tokens).toHaveLength(20 - seen);
});

test("a client that vanishes for good has its reply cancelled after the grace period", async () => {
  server.engine.script = { reply: () => "x".repeat(60), delayMs: 100 };
  const { tokens } = collect(socket);
  const { exchangeId } = await accepted(socket);
  await waitFor(() => expect(tokens.length).toBeGreaterThan(0));
  socket.disconnect();
  await waitFor(async () => {
    const exchange = await server.store.exchanges.get(exchangeId);
    expect(exchange).toMatchObject({ status: "complete", finishReason: "cancelled" });
    expect(exchange?.reply.length).toBeLessThan(60);
  });
});

test("a full server says busy and serves again when a place is free", async () => {
  server.engine.script = { reply: () => "x".repeat(20), delayMs: 5 };
  const { done } = collect(socket);
  await Promise.all([accepted(socket), accepted(socket)]);
  expect(await send(socket, {})).toMatchObject({ ok: false, error: { code: "busy" } });
  await waitFor(() => expect(done).toHaveLength(2));
  await accepted(socket);
  expect((await server.store.exchangeQueries.page({}, 10, null)).total).toBe(3);
});

test("a reply without log-probs for every token is refused by the log, not padded", async () => {
  server.engine.script.spoil = (result) => ({ ...result, logProbs: result.logProbs.slice(1) });
  const { failed, done } = collect(socket);
  const { exchangeId } = await accepted(socket, { options: { consent: true } });
  await waitFor(() => expect(failed).toHaveLength(1));
  expect(failed[0]).toMatchObject({ exchangeId, error: { code: "internal" } });
  expect(done).toEqual([]);
  expect(await server.store.exchanges.get(exchangeId)).toMatchObject({
    status: "cut",
    reply: "I hear you.",
    replyTokens: [],
  });
  expect(await server.store.exchangeQueries.trainable([])).toEqual([]);
});

test("feedback is kept and can be taken back", async () => {
  const { exchangeId } = await accepted(socket);
  for (const value of [1, 0] as const) {
    expect(await socket.emitWithAck("feedback", { exchangeId, value })).toEqual({ ok: true });
    expect((await server.store.exchanges.get(exchangeId))?.feedback).toBe(value);
  }
});

test("no log line ever holds what people wrote or were told", async () => {
  const { done } = collect(socket);
  await accepted(socket, { text: "a secret sentence" });
  await waitFor(() => expect(done).toHaveLength(1));
  await fetch(`${server.url}/api/exchanges?text=secret`);
  expect(server.logged.length).toBeGreaterThan(0);
  expect(server.logged.join("\n")).not.toMatch(/secret|I hear you/);
});
