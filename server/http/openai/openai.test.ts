/** The official client against the whole server around a scripted engine. */
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startTestServer, type TestServer } from "../../testing/test-server.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: TestServer;
let openai: OpenAI;

beforeAll(async () => {
  server = await startTestServer({ maxConcurrent: 3, maxQueue: 0, maxMessageChars: 1000 });
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(() => server.close());
beforeEach(() => {
  server.engine.script = { reply: () => "I hear you.", delayMs: 0 };
  server.engine.requests.length = 0;
});

const messages = [{ role: "user", content: "You are bad" }] as const;
const model = "rejoinder";

async function post(body: unknown, raw = false): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: raw ? String(body) : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

test("a whole completion carries usage, the resolved model and where it came from", async () => {
  const completion = await openai.chat.completions.create({
    model,
    messages: [
      { role: "developer", content: "Be kind." },
      {
        role: "user",
        content: [
          { type: "text", text: "You are " },
          { type: "text", text: "bad" },
        ],
      },
    ],
    temperature: 0.5,
    top_p: 0.9,
    max_completion_tokens: 20,
    stop: ["<", ">"],
    seed: 11,
  });
  expect(server.engine.requests[0]).toMatchObject({
    promptTokens: server.engine.renderChat([
      { role: "system", content: "Be kind." },
      { role: "user", content: "You are bad" },
    ]),
    sampling: { temperature: 0.5, topP: 0.9, seed: 11 },
    maxTokens: 20,
    stop: ["<", ">"],
  });
  expect(completion).toMatchObject({
    id: expect.stringMatching(/^chatcmpl-/),
    object: "chat.completion",
    model: "base",
    choices: [
      { index: 0, message: { role: "assistant", content: "I hear you." }, logprobs: null, finish_reason: "stop" },
    ],
    usage: { prompt_tokens: 24, completion_tokens: 12, total_tokens: 36 },
    rejoinder: {
      exchange_id: completion.id.replace("chatcmpl-", ""),
      adapter: { name: "base", version: 0, sha256: server.engine.model.sha256 },
      toxicity: { prompt: expect.closeTo(1 / 3), reply: 0 },
    },
  });
});

test("a stream says the role first, then the text, then why it ended, then usage", async () => {
  const stream = await openai.chat.completions.create({
    model,
    messages: [...messages],
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  expect(chunks[0]?.choices[0]).toMatchObject({
    index: 0,
    delta: { role: "assistant", content: "" },
    finish_reason: null,
  });
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  expect(text).toBe("I hear you.");
  const [end, usage] = chunks.slice(-2);
  expect(end).toMatchObject({
    choices: [{ delta: {}, finish_reason: "stop" }],
    usage: null,
    rejoinder: { exchange_id: expect.any(String), toxicity: { reply: 0 } },
  });
  expect(usage).toMatchObject({ choices: [], usage: { prompt_tokens: 14, completion_tokens: 12, total_tokens: 26 } });
  expect(new Set(chunks.map(({ id, model: name }) => `${id} ${name}`)).size).toBe(1);
});

test("the raw stream ends with [DONE]", async () => {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, messages, stream: true }),
  });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const events = (await response.text()).trimEnd().split("\n\n");
  expect(events.at(-1)).toBe("data: [DONE]");
  expect(events.every((event) => event.startsWith("data: "))).toBe(true);
});

test("n gives that many choices with seeds of their own, whole and streamed", async () => {
  const whole = await openai.chat.completions.create({ model, messages: [...messages], n: 2, seed: 5 });
  expect(whole.choices.map(({ index, message }) => [index, message.content])).toEqual([
    [0, "I hear you."],
    [1, "I hear you."],
  ]);
  expect(server.engine.requests.map(({ sampling }) => sampling.seed)).toEqual([5, 6]);
  const stream = await openai.chat.completions.create({ model, messages: [...messages], n: 2, stream: true });
  const texts = ["", ""];
  for await (const { choices } of stream) for (const { index, delta } of choices) texts[index] += delta.content ?? "";
  expect(texts).toEqual(["I hear you.", "I hear you."]);
});

test("log-probs stand beside the text they belong to", async () => {
  const { choices } = await openai.chat.completions.create({
    model,
    messages: [...messages],
    logprobs: true,
    top_logprobs: 1,
  });
  const content = choices[0]?.logprobs?.content ?? [];
  expect(content.map(({ token }) => token).join("")).toBe("I hear you.");
  expect(content[0]).toEqual({
    token: "I",
    logprob: -0.5,
    bytes: [73],
    top_logprobs: [{ token: "I", logprob: -0.5, bytes: [73] }],
  });
});

test("max_tokens ends a reply with finish_reason length", async () => {
  const { choices } = await openai.chat.completions.create({ model, messages: [...messages], max_tokens: 4 });
  expect(choices[0]).toMatchObject({ message: { content: "I he" }, finish_reason: "length" });
});

test("a client that leaves has its reply cancelled", async () => {
  server.engine.script = { reply: () => "x".repeat(60), delayMs: 50 };
  const stream = await openai.chat.completions.create({ model, messages: [...messages], stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  stream.controller.abort();
  await vi.waitFor(
    async () => {
      const { items } = await server.store.exchangeQueries.page({}, 1, null);
      expect(items[0]).toMatchObject({ status: "complete", finishReason: "cancelled" });
    },
    { timeout: 30_000 },
  );
});

test("a reply that fails under way raises in the official client", async () => {
  server.engine.script.spoil = (result) => ({ ...result, logProbs: [] });
  const stream = await openai.chat.completions.create({ model, messages: [...messages], stream: true });
  await expect(async () => {
    for await (const _ of stream);
  }).rejects.toThrow("could not be finished");
  await expect(openai.chat.completions.create({ model, messages: [...messages] })).rejects.toMatchObject({
    status: 500,
  });
});

test("models are listed and looked up", async () => {
  const { data } = await openai.models.list();
  expect(data.map(({ id }) => id)).toEqual(["rejoinder", "base"]);
  expect(await openai.models.retrieve("base")).toMatchObject({ id: "base", object: "model" });
  await expect(openai.models.retrieve("gpt-5")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
});

test("a full server answers 503 busy, and the choices that had begun are stopped", async () => {
  server.engine.script = { reply: () => "x".repeat(60), delayMs: 50 };
  const error = await openai.chat.completions.create({ model, messages: [...messages], n: 4 }).catch((cause) => cause);
  expect(error).toMatchObject({ status: 503, code: "busy", type: "server_error" });
  await vi.waitFor(
    async () => expect((await server.store.exchangeQueries.page({ status: "streaming" }, 1, null)).total).toBe(0),
    { timeout: 30_000 },
  );
});

test.each([
  [{ model: "gpt-5", messages }, 404, "model_not_found", "model"],
  [{ model: "rejoinder@9", messages }, 404, "model_not_found", "model"],
  [{ messages }, 400, "invalid_value", "model"],
  [{ model, messages: [] }, 400, "invalid_value", "messages"],
  [{ model, messages: "hi" }, 400, "invalid_value", "messages"],
  [{ model, messages: [{ role: "tool", content: "x" }] }, 400, "invalid_value", "messages[0].role"],
  [{ model, messages: [{ role: "user", content: 5 }] }, 400, "invalid_value", "messages[0].content"],
  [{ model, messages: [{ role: "user", content: " " }] }, 400, "empty_message", "messages[0].content"],
  [{ model, messages: [{ role: "user", content: "x".repeat(1001) }] }, 400, "message_too_long", "messages[0].content"],
  [{ model, messages: [{ role: "user", content: "x".repeat(400) }] }, 400, "context_length_exceeded", "messages"],
  [{ model, messages, max_tokens: 5000 }, 400, "context_length_exceeded", "max_tokens"],
  [{ model, messages: [...messages, { role: "assistant", content: "x" }] }, 400, "invalid_value", "messages[1].role"],
  [{ model, messages, temperature: 9 }, 400, "invalid_value", "temperature"],
  [{ model, messages, n: 0 }, 400, "invalid_value", "n"],
  [{ model, messages, top_logprobs: 3 }, 400, "invalid_value", "top_logprobs"],
  [{ model, messages, tools: [] }, 400, "invalid_value", "tools"],
  [{ model, messages, response_format: { type: "json_object" } }, 400, "invalid_value", "response_format.type"],
])("a request that is wrong is answered in OpenAI's shape (case %#)", async (body, status, code, param) => {
  const answer = await post(body);
  expect(answer).toEqual({
    status,
    body: { error: { message: expect.stringMatching(/./), type: "invalid_request_error", param, code } },
  });
});

test.each([
  // "You are bad" is 14 tokens of the scripted model's 256.
  [
    { max_tokens: 243 },
    "max_tokens",
    "14 in the messages and 243 for the reply; max_tokens may be at most 242, got 243",
  ],
  [{ max_completion_tokens: 243 }, "max_completion_tokens", "max_completion_tokens may be at most 242, got 243"],
  [{ max_tokens: 0 }, "max_tokens", "max_tokens: Too small: expected number to be >=1, got 0"],
  [{ n: 9 }, "n", "n: Too big: expected number to be <=8, got 9"],
  [{ n: 1.5 }, "n", "n: Invalid input: expected int, received number, got 1.5"],
  [{ logprobs: true, top_logprobs: 21 }, "top_logprobs", "top_logprobs: Too big: expected number to be <=20, got 21"],
  [{ top_logprobs: 3 }, "top_logprobs", "top_logprobs: expected logprobs to be true beside it, got none"],
  [{ stop: ["a", ""] }, "stop[1]", 'stop[1]: expected text that is not empty, got ""'],
  [{ stop: "" }, "stop", 'stop: expected text that is not empty, got ""'],
  [{ stop: 5 }, "stop", "stop: expected text or up to 4 texts, got 5"],
  [{ stop: [..."abcde"] }, "stop", 'stop: expected text or up to 4 texts, got ["a","b","c","d","e"]'],
])("a limit that is passed is named, with what was expected and what arrived: %o", async (options, param, message) => {
  const { status, body } = await post({ model, messages, ...options });
  expect({ status, body }).toMatchObject({ status: 400, body: { error: { param } } });
  expect((body as { error: { message: string } }).error.message).toContain(message);
  expect(server.engine.requests.length).toBe(0);
});

test("the longest prompt that leaves one token is served, and one token more is refused", async () => {
  // Role tags and turn end are three tokens.
  const asLongAs = (length: number) => ({ model, messages: [{ role: "user", content: "x".repeat(length - 3) }] });
  expect(await post(asLongAs(255))).toMatchObject({ status: 200, body: { usage: { completion_tokens: 1 } } });
  const refused = await post(asLongAs(256));
  expect(refused).toMatchObject({
    status: 400,
    body: { error: { code: "context_length_exceeded", param: "messages" } },
  });
  expect((refused.body as { error: { message: string } }).error.message).toContain("256 in the messages and 1 for");
});

test("a body that is no JSON, or far too large, is answered in OpenAI's shape too", async () => {
  expect(await post("{", true)).toMatchObject({ status: 400, body: { error: { code: "invalid_json" } } });
  expect(await post({ model, messages: "x".repeat(3_000_000) })).toMatchObject({
    status: 413,
    body: { error: { code: "body_too_large", type: "invalid_request_error" } },
  });
});
