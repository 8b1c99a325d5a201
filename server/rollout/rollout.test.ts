/** Candidates on the real server, with a small random model, its adapters and a database on disk. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createEngine } from "../../engine/index.ts";
import type { Engine } from "../../engine/types.ts";
import { writeSampleAdapter, writeSampleModel } from "../adapters/sample-model.ts";
import type { Scorer } from "../chat/scorer.ts";
import { type Config, readConfig } from "../config.ts";
import type { AdapterSummary, Deployment, Page, ServerStatus } from "../protocol/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const messages = ["Go home.", "Nobody wants you here.", "You people are all the same.", "Why should I listen?"];
const maxTokens = 6;

let models: string;
let modelDir: string;
let engine: Engine;
/** What each version says to each message; the small model is greedy here, so that it always says the same. */
const said = new Map<number, Set<string>>();

beforeAll(async () => {
  models = mkdtempSync(join(tmpdir(), "rejoinder-model-"));
  modelDir = join(models, "sample");
  writeSampleModel(modelDir);
  engine = await createEngine({ modelDir, threads: 1, maxConcurrent: 8, maxQueue: 65 });
  for (const version of [1, 2, 3, 4]) {
    const folder = join(modelDir, "adapters", String(version));
    const adapter = writeSampleAdapter(folder, modelDir, version);
    await engine.loadAdapter(folder);
    const replies = await Promise.all(messages.map((message) => greedy(message, adapter)));
    said.set(version, new Set(replies));
    await engine.unloadAdapter(adapter);
  }
});
afterAll(async () => {
  await engine.close();
  rmSync(models, { recursive: true });
});

async function greedy(message: string, adapter: string | null): Promise<string> {
  const promptTokens = engine.renderChat([{ role: "user", content: message }]);
  const sampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };
  const stream = engine.generate({ promptTokens, adapter, sampling, maxTokens, stop: [] });
  for (;;) {
    const step = await stream.next();
    if (step.done) return step.value.text;
  }
}

/** Versions whose replies are judged toxic. */
let toxic: number[];
const scorer: Scorer = {
  name: "by version",
  version: "1",
  async judge({ reply }) {
    const toxicity = toxic.some((version) => said.get(version)?.has(reply)) ? 0.9 : 0.05;
    return {
      toxicity: { prompt: 0.5, reply: toxicity, attributes: {} },
      reward: { version: "1", total: 1 - toxicity, terms: {} },
    };
  },
  attributes: async () => ({}),
};

let folder: string;
let store: Store;
let server: TestServer;

async function start(environment: Record<string, string> = {}): Promise<void> {
  const { rollout } = readConfig(environment);
  const change: Partial<Config> = { modelDir, adapter: "1", rollout, dataDir: folder };
  server = await startTestServer(change, undefined, { engine, scorer, store, watchEveryMs: 50 });
}

async function restart(environment: Record<string, string> = {}): Promise<void> {
  await server.close();
  await store.close();
  store = await openStore(join(folder, "rejoinder.sqlite"));
  await start(environment);
}

beforeEach(async () => {
  toxic = [];
  folder = mkdtempSync(join(tmpdir(), "rejoinder-rollout-"));
  store = await openStore(join(folder, "rejoinder.sqlite"));
});
afterEach(async () => {
  await server.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

async function call<Body>(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Body> {
  const response = await fetch(server.url + path, {
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    headers: { "content-type": "application/json", ...headers },
  });
  return (await response.json()) as Body;
}

const promote = (version: number, body: object = {}) =>
  call<Deployment>(
    `/api/adapters/${version}/promote`,
    { reason: "by test", force: true, ...body },
    { "x-operator": "ann" },
  );
const status = () => call<ServerStatus>("/api/status");
const log = async () =>
  (await call<Page<Deployment>>("/api/deployments")).items.map(
    ({ actor, action, to }) => `${actor} ${action} ${to.version}`,
  );
const stateOf = async (version: number) =>
  (await call<Page<AdapterSummary>>("/api/adapters")).items.find((adapter) => adapter.version === version)?.state;

interface Completion {
  rejoinder: { exchange_id: string; adapter: { version: number } };
  choices: { message: { content: string }; rejoinder: { adapter: { version: number } } }[];
}

let count = 0;
async function say(change: object = {}): Promise<Completion> {
  const content = messages[count++ % messages.length];
  const completion = await call<Completion>("/v1/chat/completions", {
    model: "rejoinder",
    messages: [{ role: "user", content }],
    temperature: 0,
    max_tokens: maxTokens,
    ...change,
  });
  const { version } = completion.rejoinder.adapter;
  // Whatever answers says so.
  for (const choice of completion.choices) expect(said.get(version)).toContain(choice.message.content);
  return completion;
}

/** Chats side by side until `isOver`; every reply must come. Returns how many came. */
async function chatUntil(isOver: () => Promise<boolean>, most: number, change: object = {}): Promise<number> {
  let replies = 0;
  while (replies < most && !(await isOver())) {
    await Promise.all(Array.from({ length: 4 }, () => say(change)));
    replies += 4;
  }
  return replies;
}

describe("the watcher", () => {
  it("rolls a bad adapter back within some replies, while chats go on, and bars it", async () => {
    toxic = [2];
    await start();
    await chatUntil(async () => false, 40);
    await promote(2);
    const replies = await chatUntil(async () => (await status()).adapter.version === 1, 100);
    // A few more are said while the other adapter is staged.
    expect(replies).toBeLessThanOrEqual(60);
    expect(await stateOf(2)).toBe("rejected");
    expect((await log()).slice(0, 3)).toEqual(["watcher reject 2", "watcher rollback 1", "ann promote 2"]);
    const [reject] = (await call<Page<Deployment>>("/api/deployments")).items;
    expect(reject?.reason).toMatch(
      /^the share of toxic replies is 1\.00 over 20 replies, at least 0\.\d\d beyond doubt/,
    );
    await expect.poll(() => server.logged.join("")).toMatch(/watch_rolled_back/);
    expect(await promote(2, { force: false })).toMatchObject({ error: { code: "adapter_rejected" } });
    await chatUntil(async () => false, 40);
    expect((await status()).adapter.version).toBe(1);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      'rejoinder_alerts_total{code="watch_rolled_back"} 1',
    );
  });

  it("leaves a good adapter alone in a long run", async () => {
    await start();
    await promote(2);
    await chatUntil(async () => false, 240);
    expect((await status()).adapter.version).toBe(2);
    expect(await log()).toEqual(["ann promote 2", "setup promote 1"]);
  });

  it("goes on after a restart with what was said before", async () => {
    toxic = [2];
    await start();
    await promote(2);
    await chatUntil(async () => false, 12);
    expect((await status()).adapter.version).toBe(2);
    await restart();
    await chatUntil(async () => (await status()).adapter.version === 1, 100);
    const [, rollback] = (await call<Page<Deployment>>("/api/deployments")).items;
    expect(rollback?.reason).toMatch(/^the share of toxic replies is 1\.00 over 20 replies/);
  });

  it("goes to the base model after a second breach in a row, bars only the first, and stops there", async () => {
    await start();
    await promote(2);
    await promote(3);
    toxic = [1, 2, 3];
    await chatUntil(async () => (await status()).adapter.version === 0, 200, { model: "rejoinder" }).catch(() => 0);
    await expect.poll(async () => (await status()).adapter.version).toBe(0);
    expect(await stateOf(3)).toBe("rejected");
    expect(await stateOf(2)).toBe("retired");
    expect((await log()).slice(0, 3)).toEqual(["watcher rollback 0", "watcher reject 3", "watcher rollback 2"]);
  });

  it("counts flags for the adapter that wrote the reply, however late, but neither one person's nor a brigade's", async () => {
    await start();
    const earlier: string[] = [];
    for (let reply = 0; reply < 10; reply++) earlier.push((await say()).rejoinder.exchange_id);
    await promote(2);
    const written: string[] = [];
    for (let reply = 0; reply < 24; reply++) written.push((await say()).rejoinder.exchange_id);
    const flag = (annotator: string, ids: string[]) =>
      Promise.all(
        ids.map((id) => call(`/api/exchanges/${id}/annotations`, { label: "toxic" }, { "x-annotator": annotator })),
      );
    const someLooks = () => new Promise((resolve) => setTimeout(resolve, 300));
    await flag("ada", written);
    await someLooks();
    expect(await stateOf(2)).toBe("live");
    // By now another one is live; it is not to blame, and nobody may go back to the flagged one.
    await promote(3);
    for (const [index, annotator] of ["bea", "bo", "bob", "bud"].entries()) {
      await flag(annotator, written.slice(5 * index, 5 * index + 5));
    }
    await someLooks();
    expect(await stateOf(2)).toBe("retired");
    const lastWeek = new Date(Date.now() - 7 * 86_400_000);
    const annotators = ["cem", "dan", "eve", "fay"];
    for (const annotator of annotators) {
      for (const id of earlier) await store.annotations.put(id, annotator, { label: "ok" }, lastWeek);
    }
    for (const [index, annotator] of annotators.entries()) {
      await flag(annotator, written.slice(5 * index, 5 * index + 5));
    }
    await expect.poll(() => stateOf(2)).toBe("rejected");
    expect((await status()).adapter.version).toBe(3);
    await call("/api/adapters/rollback", { reason: "home" });
    expect((await status()).adapter.version).toBe(1);
  });

  it("takes an adapter away that is not served as it was trained", async () => {
    const source = join(folder, "odd");
    writeSampleAdapter(source, modelDir, 9, { tokens: [3, 9, 27, 81], from: 2, logProbs: [-1, -1] });
    await start();
    await server.close();
    const { openAdapterCatalog } = await import("../adapters/catalog.ts");
    const { createFolderArtifacts } = await import("../artifacts/folder.ts");
    const artifacts = createFolderArtifacts(join(folder, "artifacts"));
    const catalog = await openAdapterCatalog({ store, artifacts, baseSha256: engine.model.sha256 });
    await catalog.register({ version: 9, folder: source, runId: null });
    await start();
    await promote(9, { stage: "canary", share: 0.5 });
    await expect.poll(() => stateOf(9)).toBe("rejected");
    expect((await status()).trial).toBeNull();
    expect((await log())[0]).toBe("watcher reject 9");
    expect(server.logged.join("")).toMatch(/adapter_probe_mismatch/);
  });
});

describe("a canary", () => {
  it("answers its share of conversations, each throughout, and those asked for by number are left alone", async () => {
    await start();
    expect(await promote(2, { stage: "canary", share: 0.5 })).toMatchObject({ action: "canary", share: 0.5 });
    expect(await status()).toMatchObject({
      adapter: { version: 1 },
      trial: { stage: "canary", version: 2, share: 0.5 },
    });
    const socket = await server.connect();
    const ask = (conversationId?: string, adapter?: string) =>
      new Promise<{ conversationId: string; version: number }>((resolve) => {
        let conversation = "";
        const wanted = {
          text: "Go home.",
          clientMessageId: String(count++),
          options: { temperature: 0, maxTokens, adapter },
        };
        const ended = new Map<string, number>();
        const done = ({ exchangeId, adapter }: { exchangeId: string; adapter: { version: number } }) => {
          ended.set(exchangeId, adapter.version);
        };
        socket.on("done", done);
        socket.emit("message", { ...wanted, conversationId }, async (ack) => {
          if (!ack.ok) throw new Error(ack.error.message);
          conversation = ack.conversationId;
          await expect.poll(() => ended.has(ack.exchangeId)).toBe(true);
          socket.off("done", done);
          resolve({ conversationId: conversation, version: ended.get(ack.exchangeId) ?? -1 });
        });
      });
    const first: { conversationId: string; version: number }[] = [];
    for (let index = 0; index < 24; index++) first.push(await ask());
    const inCanary = first.filter(({ version }) => version === 2).length;
    // Binomial(24, 1/2) leaves 3..21 once in 20,000 times.
    expect(inCanary).toBeGreaterThan(2);
    expect(inCanary).toBeLessThan(22);
    for (const { conversationId, version } of first.slice(0, 8)) {
      expect((await ask(conversationId)).version).toBe(version);
      expect((await ask(conversationId, "rejoinder@1")).version).toBe(1);
      expect((await ask(conversationId, "base")).version).toBe(0);
    }
    // All choices of one request come from one adapter.
    for (let index = 0; index < 6; index++) {
      const { choices } = await say({ n: 3 });
      expect(new Set(choices.map(({ rejoinder }) => rejoinder.adapter.version)).size).toBe(1);
    }
    // A larger share keeps whom it has.
    await promote(2, { stage: "canary", share: 0.75 });
    const canaries = first.filter(({ version }) => version === 2);
    for (const { conversationId } of canaries.slice(0, 4)) expect((await ask(conversationId)).version).toBe(2);
    expect(await call("/api/adapters/rollback", { reason: "enough" })).toMatchObject({
      action: "retire",
      to: { version: 2 },
    });
    for (const { conversationId } of canaries.slice(0, 4)) expect((await ask(conversationId)).version).toBe(1);
    expect(await stateOf(2)).toBe("retired");
  });

  it("outlives a restart, with the same conversations", async () => {
    await start();
    await promote(2, { stage: "canary", share: 0.5 });
    const { trial } = await status();
    await restart();
    expect((await status()).trial).toMatchObject({ version: 2, stage: "canary", share: 0.5, since: trial?.since });
    const answered = new Set<number>();
    await chatUntil(
      async () => answered.size === 2 || answered.add((await say()).rejoinder.adapter.version).size === 2,
      100,
    );
    expect(answered).toEqual(new Set([1, 2]));
  });

  it("is the only one on trial, and never what is live, rejected or the base model", async () => {
    await start();
    await promote(2, { stage: "canary" });
    expect(await promote(3, { stage: "shadow" })).toMatchObject({ error: { code: "trial_under_way" } });
    expect(await promote(2, { stage: "canary" })).toMatchObject({ error: { code: "already_on_trial" } });
    expect(await promote(1, { stage: "canary" })).toMatchObject({ error: { code: "already_live" } });
    expect(await promote(0, { stage: "canary" })).toMatchObject({ error: { code: "base_is_no_candidate" } });
    expect(await promote(2, { share: 0.5 })).toMatchObject({ error: { code: "invalid_request" } });
    expect(await promote(2, { stage: "canary", share: 2 })).toMatchObject({ error: { code: "invalid_request" } });
    expect(await promote(2)).toMatchObject({ action: "promote" });
    expect(await status()).toMatchObject({ adapter: { version: 2 }, trial: null });
  });

  it("that is worse is ended and barred", async () => {
    toxic = [2];
    await start({ WATCH: "false", CANARY_MIN_REPLIES: "50" });
    await promote(2, { stage: "canary", share: 0.5 });
    await chatUntil(async () => (await status()).trial === null, 600);
    expect(await stateOf(2)).toBe("rejected");
    const [last] = (await call<Page<Deployment>>("/api/deployments")).items;
    expect(last).toMatchObject({ actor: "rollout", action: "reject", to: { version: 2 } });
    expect(last?.reason).toMatch(
      /^worse than the live adapter in canary; candidate less live over \d+ replies: toxicity 0\.8/,
    );
  });

  it("that is not worse goes live by itself where the server is set to canary", async () => {
    await start({ ROLLOUT: "canary", CANARY_MIN_REPLIES: "50", TRIAL_MAX_TOXICITY_INCREASE: "0.2" });
    await promote(2, { stage: "canary", share: 0.5 });
    await chatUntil(async () => (await status()).adapter.version === 2, 800);
    expect((await log())[0]).toBe("rollout promote 2");
    expect((await status()).trial).toBeNull();
  });
});

describe("a shadow", () => {
  it("answers again what people with consent were told, and shows it to nobody", async () => {
    await start();
    await promote(2, { stage: "shadow", share: 1 });
    const consenting = await say({ rejoinder: { consent: true } });
    const other = await say();
    for (const { rejoinder } of [consenting, other]) expect(rejoinder.adapter.version).toBe(1);
    const rows = () => store.db.selectFrom("shadow_replies").selectAll().execute();
    await expect.poll(async () => (await rows()).length).toBe(1);
    const [row] = await rows();
    expect(row).toMatchObject({ exchange_id: consenting.rejoinder.exchange_id, adapter_version: 2, toxicity: 0.05 });
    expect(said.get(2)).toContain(row?.reply);
    expect(JSON.parse(row?.log_probs ?? "")).toHaveLength(JSON.parse(row?.reply_tokens ?? "").length);
    const exchange = await call<{ reply: string }>(`/api/exchanges/${consenting.rejoinder.exchange_id}`);
    expect(said.get(1)).toContain(exchange.reply);
    expect((await status()).trial?.comparison).toMatchObject({ replies: 1, toxicity: { estimate: 0 } });
    await restart();
    expect((await status()).trial?.comparison).toMatchObject({ replies: 1 });
  });

  it("that is not worse moves to canary by itself, and one that is worse is barred", async () => {
    await start({ ROLLOUT: "shadow", SHADOW_MIN_REPLIES: "50", TRIAL_MAX_TOXICITY_INCREASE: "0.2" });
    await promote(2, { stage: "shadow", share: 1 });
    const consent = { rejoinder: { consent: true } };
    await chatUntil(async () => (await status()).trial?.stage === "canary", 400, consent);
    expect((await log())[0]).toBe("rollout canary 2");
    await call("/api/adapters/rollback", { reason: "next" });
    toxic = [3];
    await promote(3, { stage: "shadow", share: 1 });
    await chatUntil(async () => (await status()).trial === null, 400, consent);
    expect(await stateOf(3)).toBe("rejected");
    expect((await status()).adapter.version).toBe(1);
  });
});
