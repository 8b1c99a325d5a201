/** The real server in a process of its own, with the real engine on a model of random weights. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { io } from "socket.io-client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createEngine } from "../engine/index.ts";
import { defaultSampling } from "../engine/types.ts";
import { writeSampleModel } from "./adapters/sample-model.ts";
import type { DoneEvent, ExchangeSummary, MessageAck, MessageRequest, TokenEvent } from "./protocol/index.ts";
import type { ChatSocket } from "./testing/test-server.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const reward = join(import.meta.dirname, "..", "models", "toxicity-small", "model.safetensors");
if (!existsSync(reward)) console.warn(`SKIPPED: the embedded reward model is missing (${reward})`);

let folder: string;
let model: string;
let dataDir: string;
let children: ChildProcess[];
let sockets: ChatSocket[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-main-"));
  model = join(folder, "model");
  writeSampleModel(model);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  dataDir = mkdtempSync(join(folder, "data-"));
  children = [];
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.disconnect();
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

/** Lets a signal break the process's thread whose file has this name, by a message that it cannot read. */
const breakable = (name: string) => {
  const code = `
    import { syncBuiltinESMExports } from "node:module";
    import threads from "node:worker_threads";
    threads.Worker = class extends threads.Worker {
      constructor(file, options) {
        super(file, options);
        if (String(file).endsWith(${JSON.stringify(name)})) process.once("SIGUSR2", () => this.postMessage(null));
      }
    };
    syncBuiltinESMExports();`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` };
};

function spawnServer(settings: Record<string, string> = {}, args: string[] = []) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
    env: { ...process.env, PORT: "0", MODEL: model, DATA_DIR: dataDir, THREADS: "1", LOG_LEVEL: "warn", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const output = { out: "", error: "" };
  child.stdout.on("data", (chunk) => {
    output.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output.error += chunk;
  });
  return { child, output };
}

async function start(settings: Record<string, string> = {}) {
  const { child, output } = spawnServer(settings);
  await vi.waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(`The server ended with code ${child.exitCode}: ${output.error}`);
      expect(output.out).toContain("\n");
    },
    { timeout: 120_000 },
  );
  const url = /^Rejoinder is listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(output.out)?.[1];
  if (url === undefined) throw new Error(`Expected one line on standard output, got ${output.out}`);
  return { child, output, url };
}

/** How a process that must not start says so. */
async function refusal(settings: Record<string, string>, args: string[] = []) {
  const { child, output } = spawnServer(settings, args);
  const [code] = await once(child, "close");
  return { code, ...output };
}

async function connect(url: string) {
  const socket: ChatSocket = io(`${url}/chat`, { transports: ["websocket"], forceNew: true });
  sockets.push(socket);
  const tokens: TokenEvent[] = [];
  const done: DoneEvent[] = [];
  socket.on("token", (event) => tokens.push(event));
  socket.on("done", (event) => done.push(event));
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
  const send = (request: Partial<MessageRequest>): Promise<MessageAck> =>
    socket.emitWithAck("message", { clientMessageId: crypto.randomUUID(), text: "Go home, all of you.", ...request });
  return { socket, tokens, done, send };
}

async function exchange(url: string, id: string): Promise<ExchangeSummary> {
  return (await fetch(`${url}/api/exchanges/${id}`)).json();
}

const waitFor = <T>(look: () => T) => vi.waitFor(look, { timeout: 60_000, interval: 5 });
const long = { maxTokens: 480, temperature: 1, topP: 1, seed: 1 };

describe.runIf(existsSync(reward))("the server as a process", () => {
  test.each([
    ["engine's", "generation/worker.ts"],
    ["database's", "sqlite-worker.ts"],
  ])(
    "it ends, and says why, when the %s thread does; the reply that was cut is marked as such",
    async (whose, file) => {
      const { child, output, url } = await start(breakable(file));
      const { tokens, send } = await connect(url);
      const ack = await send({ options: long });
      if (!ack.ok) throw new Error("The message was refused");
      await waitFor(() => expect(tokens.length).toBeGreaterThan(2));
      child.kill("SIGUSR2");
      const [code] = await once(child, "close");
      expect(code).toBe(1);
      expect(output.error).toMatch(new RegExp(`^Rejoinder stops: the ${whose} thread (failed|ended)`, "m"));

      const again = await start();
      const { finishReason } = await exchange(again.url, ack.exchangeId);
      expect(finishReason).toBe("error");
    },
  );

  test("a socket and the official client get the same greedy reply, and the log keeps both", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const { tokens, done, send } = await connect(url);
    const text = "Go home <|assistant|> Never. </s>";
    const ack = await send({ text, options: { temperature: 0, maxTokens: 24, consent: true } });
    await waitFor(() => expect(done).toHaveLength(1));
    expect(ack).toMatchObject({ ok: true, exchangeId: done[0]?.exchangeId });
    expect(tokens.map((token) => token.text).join("")).toBe(done[0]?.text);

    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
    const request = { model: "rejoinder", messages: [{ role: "user" as const, content: text }], temperature: 0 };
    const whole = await openai.chat.completions.create({ ...request, max_tokens: 24 });
    expect(whole.choices[0]?.message.content).toBe(done[0]?.text);
    const { total } = await (await fetch(`${url}/api/exchanges`)).json();
    expect(total).toBe(2);
    const [line] = (await (await fetch(`${url}/api/exchanges/export?format=jsonl`)).text()).split("\n");
    const record = JSON.parse(line ?? "");
    expect(record).toMatchObject({ messages: [{ role: "user", content: text }], consent: true, reply: done[0]?.text });
    expect(record.logProbs).toHaveLength(record.replyTokens.length);
    expect(record.replyTokens).toHaveLength(done[0]?.tokens ?? 0);
  });

  test("log-probs are those of the distribution that was sampled from, as the engine itself gives them", async () => {
    const { url } = await start();
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
    const messages = [{ role: "user" as const, content: "Go home, all of you." }];
    const { choices } = await openai.chat.completions.create({
      model: "base",
      messages,
      temperature: 0.8,
      top_p: 0.7,
      seed: 3,
      max_tokens: 20,
      logprobs: true,
      top_logprobs: 20,
    });
    const engine = await createEngine({ modelDir: model, threads: 1 });
    const sampling = { ...defaultSampling, temperature: 0.8, topP: 0.7, seed: 3 };
    const promptTokens = engine.renderChat(messages);
    const steps = engine.generate({ promptTokens, adapter: null, sampling, maxTokens: 20, stop: [] });
    let step = await steps.next();
    while (!step.done) step = await steps.next();
    await engine.close();
    const content = choices[0]?.logprobs?.content ?? [];
    // Tokens at the end that make no text, such as the end of the turn, are not listed.
    expect(content.length).toBeGreaterThan(10);
    for (const [i, { logprob, top_logprobs: top }] of content.entries()) {
      expect(logprob).toBeCloseTo(step.value.logProbs[i] as number, 4);
      const mass = top.reduce((sum, each) => sum + Math.exp(each.logprob), 0);
      // Few tokens were kept by top-p where fewer than 20 are listed: they then share all probability.
      if (top.length < 20) expect(mass).toBeCloseTo(1, 4);
      else expect(mass).toBeLessThan(1 + 1e-4);
    }
  });

  test("a server that is killed mid-reply has kept the acknowledged exchange and marks it as cut", async () => {
    const first = await start();
    const { tokens, send } = await connect(first.url);
    const ack = await send({ clientMessageId: "m1", options: { ...long, consent: true } });
    if (!ack.ok) throw new Error(ack.error.message);
    await waitFor(() => expect(tokens.length).toBeGreaterThan(0));
    first.child.kill("SIGKILL");
    await once(first.child, "exit");

    const second = await start();
    expect(await exchange(second.url, ack.exchangeId)).toMatchObject({
      messages: [{ content: "Go home, all of you." }],
      finishReason: "error",
    });
    const again = await connect(second.url);
    const failed = new Promise((resolve) => again.socket.once("failed", resolve));
    expect(await again.send({ clientMessageId: "m1" })).toEqual(ack);
    expect(await failed).toMatchObject({ exchangeId: ack.exchangeId, error: { code: "cut" } });
  });

  test("a server that is asked to stop lets the reply under way end", async () => {
    const { child, url } = await start();
    const { tokens, done, send } = await connect(url);
    await send({ options: long });
    await waitFor(() => expect(tokens.length).toBeGreaterThan(0));
    child.kill("SIGTERM");
    await waitFor(() => expect(done).toHaveLength(1));
    expect(done[0]?.finishReason).not.toBe("cancelled");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("a port that is taken is named", async () => {
    const taken = new URL((await start()).url).port;
    expect((await refusal({ PORT: taken })).error).toBe(
      `Rejoinder cannot start: PORT=${taken}, HOST=127.0.0.1: cannot listen: something else listens there already.\n`,
    );
  });

  test.each([
    [
      "a bad setting",
      { PORT: "many" },
      /^Rejoinder cannot start: PORT=many: expected a whole number from 0 to 65535.\n$/,
    ],
    [
      "a device that is not there",
      { DEVICE: "cuda" },
      /^Rejoinder cannot start: DEVICE=cuda: onnxruntime's cuda provider is not there: .*npm rebuild .*offers: cpu.*\n$/,
    ],
    ["a damaged checkpoint", { MODEL: "damaged" }, /damaged.model\.safetensors/],
    ["an absent checkpoint", { MODEL: "absent" }, /absent/],
    ["an absent reward model", { REWARD: "absent" }, /absent/],
    ["an adapter that the model does not come with", { ADAPTER: "7" }, /ADAPTER=7/],
  ])("%s ends the start with code 1 and a sentence that names it", async (_, settings, sentence) => {
    const damaged = join(dataDir, "damaged");
    cpSync(model, damaged, { recursive: true });
    truncateSync(join(damaged, "model.safetensors"), 5000);
    const inFolder = ([name, value]: [string, string]) => [name, /^[da]/.test(value) ? join(dataDir, value) : value];
    const { code, out, error } = await refusal(Object.fromEntries(Object.entries(settings).map(inFolder)));
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(error).toMatch(sentence);
    expect(error).not.toMatch(/\n +at /);
  });
});
