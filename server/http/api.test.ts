/** The server's own HTTP, on the whole server around a scripted engine. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: TestServer;
const ids: string[] = [];

async function call(path: string, init?: RequestInit) {
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const { status, text } = await call(path);
  return { status, body: JSON.parse(text) };
}

function post(path: string, body: unknown): RequestInit & { path: string } {
  return { path, method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function send({ path, ...init }: ReturnType<typeof post>): Promise<{ status: number; body: unknown }> {
  const { status, text } = await call(path, init);
  return { status, body: JSON.parse(text) };
}

beforeAll(async () => {
  server = await startTestServer({ maxMessageChars: 1000 });
  for (const content of ["first bad", "second", "third"]) {
    const consent = content !== "second";
    const { body } = await send(
      post("/v1/chat/completions", {
        model: "rejoinder",
        messages: [{ role: "user", content }],
        rejoinder: { consent },
      }),
    );
    ids.push((body as { rejoinder: { exchange_id: string } }).rejoinder.exchange_id);
  }
});
afterAll(() => server.close());

test("health, readiness and status", async () => {
  expect(await get("/healthz")).toMatchObject({ status: 200 });
  expect(await get("/readyz")).toEqual({ status: 200, body: { status: "ready" } });
  expect(await get("/api/status")).toEqual({
    status: 200,
    body: {
      version: "test",
      model: { id: "scripted", architecture: "none", parameters: 0, quantization: "none", device: "cpu" },
      adapter: { name: "base", version: 0, sha256: server.engine.model.sha256, state: "base" },
      trial: null,
      reward: { name: "words", version: "1" },
      training: { state: "idle", runId: null },
    },
  });
});

test("the log is paged, filtered and shown one by one", async () => {
  const { body } = await get("/api/exchanges?limit=2");
  expect(body).toMatchObject({ items: [{ id: ids[2] }, { id: ids[1] }], total: 3, nextCursor: expect.any(String) });
  const { nextCursor } = body as { nextCursor: string };
  expect(await get(`/api/exchanges?limit=2&cursor=${nextCursor}`)).toMatchObject({
    body: { items: [{ id: ids[0] }], nextCursor: null },
  });
  expect(await get("/api/exchanges?consent=true&minPromptToxicity=0.5")).toMatchObject({
    body: { items: [{ id: ids[0] }], total: 1 },
  });
  expect(await get(`/api/exchanges/${ids[1]}`)).toMatchObject({
    status: 200,
    body: { id: ids[1], reply: "I hear you.", consent: false, toxicity: { prompt: 0 }, annotations: [] },
  });
});

test("the export is one exchange a line, as the contract lists its fields", async () => {
  const { status, headers, text } = await call("/api/exchanges/export?format=jsonl&consent=true");
  expect(status).toBe(200);
  expect(headers.get("content-disposition")).toContain("exchanges.jsonl");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ id }) => id)).toEqual([ids[0], ids[2]]);
  expect(Object.keys(lines[0]).sort()).toEqual(
    [
      "id",
      "conversationId",
      "createdAt",
      "messages",
      "reply",
      "promptTokens",
      "replyTokens",
      "logProbs",
      "sampling",
      "finishReason",
      "adapter",
      "toxicity",
      "reward",
      "annotations",
      "consent",
    ].sort(),
  );
});

test.each([
  ["/api/exchanges/nope", 404, "unknown_exchange"],
  ["/api/exchanges?limit=0", 400, "invalid_request"],
  ["/api/exchanges?cursor=abc", 400, "invalid_request"],
  ["/api/exchanges?since=yesterday", 400, "invalid_request"],
  ["/api/exchanges?colour=red", 400, "invalid_request"],
  ["/api/nothing", 404, "not_found"],
  ["/api/%ff", 400, "invalid_request"],
])("GET %s answers %i %s", async (path, status, code) => {
  expect(await get(path)).toMatchObject({ status, body: { error: { code, message: expect.stringMatching(/./) } } });
});

test("an export format that does not exist yet is answered with those that do", async () => {
  expect(await get("/api/exchanges/export?format=csv")).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_request", message: expect.stringContaining("jsonl") } },
  });
});

test("comments are analysed as Perspective does it", async () => {
  const comment = { text: "so bad" };
  const requestedAttributes = { TOXICITY: {}, INSULT: { scoreThreshold: 0.5 } };
  const request = { comment, requestedAttributes, languages: ["en"], doNotStore: true, clientToken: "t" };
  expect(await send(post("/v1alpha1/comments:analyze", request))).toEqual({
    status: 200,
    body: {
      attributeScores: {
        TOXICITY: {
          spanScores: [{ begin: 0, end: 6, score: { value: 0.5, type: "PROBABILITY" } }],
          summaryScore: { value: 0.5, type: "PROBABILITY" },
        },
      },
      languages: ["en"],
      detectedLanguages: ["en"],
      clientToken: "t",
    },
  });
  for (const wrong of [
    { comment },
    { comment, requestedAttributes: { SPAM: {} } },
    { comment: { text: "" }, requestedAttributes },
  ]) {
    expect(await send(post("/v1alpha1/comments:analyze", wrong))).toMatchObject({
      status: 400,
      body: { error: { code: 400, status: "INVALID_ARGUMENT", message: expect.stringMatching(/./) } },
    });
  }
});

test("metrics count replies and tokens, and no label holds an id", async () => {
  const { text } = await call("/metrics");
  expect(text).toContain('rejoinder_replies_total{source="openai",finish_reason="stop"} 3');
  expect(text).toContain('rejoinder_tokens_total{kind="reply"} 36');
  expect(text).toContain("rejoinder_first_text_seconds_count 3");
  expect(text).toContain('route="/api/exchanges/:id"');
  expect(text).not.toContain(ids[1]);
});

test("a page of another site cannot open a socket", async () => {
  const handshake = "/socket.io/?EIO=4&transport=polling";
  expect((await call(handshake)).status).toBe(200);
  expect((await call(handshake, { headers: { origin: server.url } })).status).toBe(200);
  expect((await call(handshake, { headers: { origin: "https://elsewhere.example" } })).status).toBe(403);
});
