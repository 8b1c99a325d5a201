/**
 * The whole loop on the real server and the embedded model: chat, log, train, swap under a running stream, improve.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ServerStatus, TrainingRun } from "../server/protocol/index.ts";
import type { ExchangeRecord } from "../trainer/contract.ts";
import { type ChatClient, connectChat } from "./support/chat-client.ts";
import { projectFolder, type RunningServer, startServer } from "./support/running-server.ts";
import { trainOnce } from "./support/training.ts";

const weights = join(projectFolder, "models", "rejoinder-tiny", "model.safetensors");
if (!existsSync(weights)) console.warn(`SKIPPED: the embedded model's weights are missing (${weights})`);

const prompts = readFileSync(join(projectFolder, "datasets", "samples", "prompts.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => (JSON.parse(line) as { text: string }).text);

const passes = 4;
const repliesPerPass = 64;
/** Rewards of single replies differ by two or so: means of so many are off by a tenth. */
const repliesToMeasure = 384;

async function status(url: string): Promise<ServerStatus> {
  return (await (await fetch(`${url}/api/status`)).json()) as ServerStatus;
}

async function exported(url: string): Promise<ExchangeRecord[]> {
  const text = await (await fetch(`${url}/api/exchanges/export?format=jsonl`)).text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as ExchangeRecord);
}

describe.runIf(existsSync(weights))("the loop from chat to a better adapter", () => {
  let server: RunningServer;
  let chat: ChatClient;

  beforeAll(async () => {
    // From the base model, which was taught to be rude: there is something to unlearn.
    server = await startServer({ ADAPTER: "base" });
    chat = await connectChat(server.url);
  }, 60_000);

  afterAll(async () => {
    chat?.close();
    await server?.stop();
    server?.remove();
  });

  /** Has so many messages answered, eight at a time; with the same seeds each time, so that only the policy differs. */
  async function converse(count: number, consent: boolean): Promise<string[]> {
    const ids: string[] = [];
    for (let first = 0; first < count; first += 8) {
      const replies = await Promise.all(
        Array.from({ length: 8 }, (_, i) => {
          const n = first + i;
          const options = { consent, maxTokens: 32, temperature: 1, topP: 1, seed: n };
          return chat.say(prompts[n % prompts.length] ?? "", options);
        }),
      );
      ids.push(...replies.map(({ exchangeId }) => exchangeId));
    }
    return ids;
  }

  /** Rewards of replies that do not train, in the order of their seeds. */
  async function measure(): Promise<number[]> {
    const ids = await converse(repliesToMeasure, false);
    const rewards = new Map((await exported(server.url)).map(({ id, reward }) => [id, reward.total]));
    return ids.map((id) => rewards.get(id) ?? Number.NaN);
  }

  /** The gate turns a pass away now and then, whose harm the judge sees where the reward does not: the next goes on without. */
  function train(seed: number): Promise<TrainingRun> {
    const body = { algorithm: "ppo", settings: { seed }, maxExchanges: repliesPerPass };
    return trainOnce(server.url, body, { mayBeRejected: true });
  }

  it("streams the same reply through socket.io and the official openai client", async () => {
    const text = prompts[0] ?? "";
    const overSocket = await chat.say(text, { temperature: 0, maxTokens: 40 });
    expect(overSocket.pieces.join("")).toBe(overSocket.done.text);

    const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none" });
    const stream = await openai.chat.completions.create({
      model: "rejoinder",
      messages: [{ role: "user", content: text }],
      temperature: 0,
      max_tokens: 40,
      stream: true,
    });
    let overHttp = "";
    for await (const chunk of stream) overHttp += chunk.choices[0]?.delta.content ?? "";
    expect(overHttp).toBe(overSocket.done.text);
  }, 30_000);

  it("trains on the log, swaps while a reply is streaming, and is rewarded more for it", async () => {
    const before = await status(server.url);
    expect(before.adapter.state).toBe("base");
    const first = await measure();
    await converse(repliesPerPass, true);

    // Someone keeps talking while the trainer works and the adapter changes.
    let talking = true;
    const conversation = (async () => {
      const used: { version: number; text: string; pieces: string[]; finish: string }[] = [];
      for (let n = 0; talking; n++) {
        const { done, pieces } = await chat.say("Tell me what you think of that.", { seed: n, maxTokens: 48 });
        used.push({ version: done.adapter.version, text: done.text, pieces, finish: done.finishReason });
        // As long as nobody needs to read a reply; without it, trainer and gate would only get what this leaves over.
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      return used;
    })();

    let firstRun = await train(1);
    for (let seed = 11; firstRun.state === "rejected" && seed < 14; seed++) firstRun = await train(seed);
    await expect.poll(() => chat.announced.length, { timeout: 10_000 }).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    talking = false;
    const heard = await conversation;
    const after = await status(server.url);

    // About a tenth of the conversations is held out, for the gate to ask.
    expect(firstRun.exchanges).toBeGreaterThan(repliesPerPass / 2);
    expect(firstRun.exchanges).toBeLessThanOrEqual(repliesPerPass);
    expect(after.adapter.version).toBe(firstRun.result?.version);
    expect(after.adapter.sha256).toBe(firstRun.result?.sha256);
    expect(chat.announced[0]?.sha256).toBe(after.adapter.sha256);
    // No reply was dropped or cut, and both policies were heard on one connection, without a restart.
    for (const reply of heard) {
      expect(reply.pieces.join("")).toBe(reply.text);
      expect(["stop", "length"]).toContain(reply.finish);
    }
    expect(new Set(heard.map(({ version }) => version))).toEqual(new Set([0, after.adapter.version]));

    for (let pass = 1; pass < passes; pass++) {
      await converse(repliesPerPass, true);
      await train(pass + 1);
    }
    const last = await measure();

    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const differences = last.map((reward, index) => reward - (first[index] ?? 0));
    const spread = Math.sqrt(mean(differences.map((d) => (d - mean(differences)) ** 2)) / (differences.length - 1));
    console.log(
      `mean reward ${mean(first).toFixed(3)} before, ${mean(last).toFixed(3)} after ${passes} passes; ` +
        `paired difference ${mean(differences).toFixed(3)} ± ${(1.96 * spread).toFixed(3)} (95%)`,
    );
    expect(mean(differences)).toBeGreaterThan(1.96 * spread);
  }, 3_600_000);
});
