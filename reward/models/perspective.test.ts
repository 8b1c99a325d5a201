/** Against a server that answers as Perspective does, and misbehaves as it is told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RewardModel } from "../types.ts";
import { createPerspectiveModel, type PerspectiveOptions } from "./perspective.ts";

interface Asked {
  path: string;
  body: Record<string, unknown> & { comment: { text: string } };
}
type Answer = (response: ServerResponse, text: string) => void;

let server: Server;
let host: string;
let asked: Asked[];
/** What the next requests get, in order; after that all are answered well. */
let script: Answer[];
let models: RewardModel[];

/** The score of a text is what it spells. */
const well: Answer = (response, text) => {
  const score = (value: number) => ({ summaryScore: { value, type: "PROBABILITY" } });
  json(response, 200, { attributeScores: { TOXICITY: score(Number(text)), INSULT: score(0.25) } });
};
const refuse =
  (status: number, message: string, headers: Record<string, string> = {}): Answer =>
  (response) =>
    json(response, status, { error: { code: status, message } }, headers);
const silence: Answer = () => undefined;

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const body = JSON.parse(Buffer.concat(pieces).toString("utf8")) as Asked["body"];
  asked.push({ path: request.url ?? "", body });
  (script.shift() ?? well)(response, body.comment.text);
}

beforeEach(async () => {
  asked = [];
  script = [];
  models = [];
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const model of models) await model.dispose();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Milliseconds; waiting shows as a lower bound, which a slow machine cannot break. */
async function timed(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
}

function connect(change: Partial<PerspectiveOptions> = {}): RewardModel {
  const model = createPerspectiveModel({
    endpoint: `http://${host}/v1alpha1/comments:analyze`,
    key: "secret-key",
    attributes: ["INSULT"],
    language: "en",
    requestsPerSecond: 1000,
    timeoutMs: 10_000,
    retries: 2,
    backoffMs: 1,
    ...change,
  });
  models.push(model);
  return model;
}

describe("the Perspective client", () => {
  it("asks for each text once, and asks that nothing is stored", async () => {
    const scores = await connect().score(["0.5", "0.9"]);
    expect(scores.map(({ toxicity }) => toxicity)).toEqual([0.5, 0.9]);
    expect(scores.map(({ logit }) => logit)).toEqual([0, expect.closeTo(Math.log(9), 12)]);
    expect(scores[0]?.attributes).toEqual({ TOXICITY: 0.5, INSULT: 0.25 });
    expect(asked.map(({ path }) => path)).toEqual(Array(2).fill("/v1alpha1/comments:analyze?key=secret-key"));
    expect(asked[0]?.body).toEqual({
      comment: { text: "0.5", type: "PLAIN_TEXT" },
      languages: ["en"],
      requestedAttributes: { INSULT: {}, TOXICITY: {} },
      doNotStore: true,
    });
  });

  it("keeps log-odds finite, and does not ask about a text without words", async () => {
    const scores = await connect().score(["0", "1", " ... "]);
    expect(scores.map(({ logit }) => logit)).toEqual([
      expect.closeTo(-Math.log(999), 9),
      expect.closeTo(Math.log(999), 9),
      -4,
    ]);
    expect(asked).toHaveLength(2);
  });

  it("spaces its requests out", async () => {
    const texts = ["0.1", "0.2", "0.3", "0.4"];
    // Three pauses of 50 ms lie between four requests; timers may be a little early.
    expect(await timed(connect({ requestsPerSecond: 20 }).score(texts))).toBeGreaterThan(140);
    expect(asked).toHaveLength(4);
  });

  it("tries again after what may pass: an overload, a failure, no answer in time", async () => {
    script = [refuse(429, "Quota exceeded"), refuse(503, "unavailable")];
    expect((await connect().score(["0.5"]))[0]?.toxicity).toBe(0.5);
    expect(asked).toHaveLength(3);
    script = [silence];
    expect((await connect({ timeoutMs: 50 }).score(["0.5"]))[0]?.toxicity).toBe(0.5);
    expect(asked).toHaveLength(5);
  });

  it("waits as long as Retry-After says, but not for ever", async () => {
    script = [refuse(429, "Quota exceeded", { "retry-after": "1" })];
    expect(await timed(connect().score(["0.5"]))).toBeGreaterThan(990);
    script = [refuse(429, "Quota exceeded", { "retry-after": "3600" })];
    await expect(connect().score(["0.5"])).rejects.toThrow("is used up");
    expect(asked).toHaveLength(3);
  });

  it("gives up with a sentence that says what to do, and never with the key", async () => {
    script = Array(3).fill(refuse(429, "Quota exceeded"));
    const failure = await connect()
      .score(["0.5"])
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: `the quota of ${host} is used up (HTTP 429, "Quota exceeded"): lower requestsPerSecond or ask for more`,
    });
    expect(asked).toHaveLength(3);
    script = [silence, silence, silence];
    await expect(connect({ timeoutMs: 30 }).score(["0.5"])).rejects.toThrow(
      `${host} does not answer: no answer within 30 ms`,
    );
  });

  it.each([
    [403, "Perspective Comment Analyzer API has not been used", "refuses the API key"],
    [400, "API key not valid. Please pass a valid API key.", "refuses the API key"],
    [400, "Attribute INSULT does not support request languages: xx", "refuses the request"],
  ])("does not try again after a refusal: %i, %s", async (status, message, sentence) => {
    script = [refuse(status, message)];
    await expect(connect().score(["0.5"])).rejects.toThrow(`${host} ${sentence} (HTTP ${status}, "${message}")`);
    expect(asked).toHaveLength(1);
  });

  it("refuses an answer without the score that it asked for", async () => {
    script = [(response) => json(response, 200, { attributeScores: {} })];
    await expect(connect().score(["0.5"])).rejects.toThrow("answered without attributeScores.TOXICITY");
  });

  it("says so when nobody is there", async () => {
    await new Promise((resolve) => server.close(resolve));
    await expect(connect({ retries: 1 }).score(["0.5"])).rejects.toThrow("does not answer: fetch failed");
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  it("ends what is under way when it is closed", async () => {
    script = [silence];
    const model = connect();
    const scoring = model.score(["0.5"]);
    const refused = expect(scoring).rejects.toThrow("the reward model was closed");
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await model.dispose();
    await refused;
  });

  it("has a version by what it asks for, not by its key or pace", () => {
    const endpoint = "http://localhost/";
    const of = (change: Partial<PerspectiveOptions>) => connect({ endpoint, ...change }).version;
    expect(of({ key: "another", requestsPerSecond: 5, retries: 0 })).toBe(of({}));
    expect(
      new Set([of({}), of({ attributes: [] }), of({ language: undefined }), of({ endpoint: "http://b/" })]).size,
    ).toBe(4);
  });
});
