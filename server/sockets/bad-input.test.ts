/** What a client may get wrong, one case after the other on one connection, which lives on through all of them. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { MessageRequest } from "../protocol/index.ts";
import { type ChatSocket, startTestServer, type TestServer } from "../testing/test-server.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: TestServer;
let socket: ChatSocket;

beforeAll(async () => {
  server = await startTestServer({ maxMessageChars: 1000 });
  socket = await server.connect();
});
afterAll(() => server.close());

const message = { clientMessageId: "m", text: "hello" };
test.each([
  ["message", { ...message, text: "" }, "empty_message"],
  ["message", { ...message, text: " \n\t" }, "empty_message"],
  ["message", { ...message, text: "x".repeat(1001) }, "message_too_long"],
  ["message", { ...message, text: "x".repeat(3_000_000) }, "message_too_long"],
  ["message", { ...message, text: "x".repeat(200) }, "message_too_long"],
  ["message", { ...message, text: { evil: true } }, "invalid_message"],
  ["message", { ...message, text: null }, "invalid_message"],
  ["message", { ...message, text: "half \ud800 pair" }, "invalid_message"],
  ["message", { ...message, clientMessageId: 7 }, "invalid_message"],
  ["message", { text: "hello" }, "invalid_message"],
  ["message", { ...message, conversationId: "nowhere" }, "unknown_conversation"],
  ["message", { ...message, options: { adapter: "rejoinder@99" } }, "unknown_adapter"],
  ["message", { ...message, options: { adapter: "gpt-5" } }, "unknown_adapter"],
  ["message", { ...message, options: { temperature: 3 } }, "invalid_option"],
  ["message", { ...message, options: { topP: 0 } }, "invalid_option"],
  ["message", { ...message, options: { maxTokens: 1.5 } }, "invalid_option"],
  ["message", { ...message, options: { maxTokens: 256 } }, "invalid_option"],
  ["message", { ...message, options: { seed: -1 } }, "invalid_option"],
  ["message", { ...message, options: { tempreature: 1 } }, "invalid_option"],
  ["message", null, "invalid_message"],
  ["message", "hello", "invalid_message"],
  ["message", [message], "invalid_message"],
  ["stop", { exchangeId: "nope" }, "unknown_exchange"],
  ["stop", {}, "invalid_message"],
  ["resume", { exchangeId: "nope", fromIndex: 0 }, "unknown_exchange"],
  ["resume", { exchangeId: "nope", fromIndex: -1 }, "invalid_message"],
  ["feedback", { exchangeId: "nope", value: 1 }, "unknown_exchange"],
  ["feedback", { exchangeId: "nope", value: 2 }, "invalid_message"],
])("a %s that is wrong is answered by name (case %#)", async (event, payload, code) => {
  const answer: unknown = await socket.emitWithAck(event as "message", payload as unknown as MessageRequest);
  expect(answer).toMatchObject({ ok: false, error: { code, message: expect.stringMatching(/./) } });
  expect((await server.store.exchangeQueries.page({}, 1, null)).total).toBe(0);
  expect(socket.connected).toBe(true);
});

test.each([
  [{ maxTokens: 256 }, "maxTokens: expected less than the model's context of 256 tokens, got 256"],
  [{ maxTokens: 0 }, "options.maxTokens: Too small: expected number to be >=1, got 0"],
  [{ n: 2 }, 'options: Unrecognized key: "n"'],
  [{ stop: [""] }, 'options: Unrecognized key: "stop"'],
  [{ topLogProbs: 21 }, 'options: Unrecognized key: "topLogProbs"'],
  [{ topK: 1001 }, "options.topK: Too big: expected number to be <=1000, got 1001"],
])("an option that cannot be served is named, with what was expected and what arrived: %o", async (options, words) => {
  const answer = await socket.emitWithAck("message", { ...message, options } as MessageRequest);
  expect(answer).toEqual({ ok: false, error: { code: "invalid_option", message: words } });
});

test("events without payload or acknowledgement are survived", async () => {
  const raw = socket as unknown as { emit(...args: unknown[]): void };
  for (const event of ["message", "stop", "resume", "feedback"]) {
    for (const args of [[], [null], [undefined, 5], [{}]]) raw.emit(event, ...args);
  }
  const answer = await new Promise((resolve) => raw.emit("message", resolve));
  expect(answer).toMatchObject({ ok: false, error: { code: "invalid_message" } });
  const next = await socket.emitWithAck("message", { clientMessageId: "after all that", text: "still there?" });
  expect(next).toMatchObject({ ok: true });
});
