/**
 * Each family of decoders behind the real server: a tiny random checkpoint is served and answers a chat, over the socket
 * and through the page in a real browser (skipped, aloud, where there is no browser or built client).
 */
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RandomCheckpoint, randomCheckpoint } from "../engine/generation/random-checkpoint.ts";
import { loadTokenizer } from "../engine/tokenizer/tokenizer.ts";
import type { ExchangeSummary, Page, ServerStatus } from "../server/protocol/index.ts";
import type { ExchangeRecord } from "../trainer/contract.ts";
import { hearComplaints, launchBrowser, missingForPages, sayOnPage } from "./support/browser.ts";
import { connectChat } from "./support/chat-client.ts";
import { type RunningServer, startServer } from "./support/running-server.ts";

/** Sizes by the names that most families give them. */
const sizes = {
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 256,
};
const grouped = { ...sizes, num_key_value_heads: 2 };
const wide = { ...grouped, head_dim: 16 };

interface Family {
  name: string;
  config: Record<string, unknown>;
  settings?: { QUANTIZATION?: "int8" | "int4"; KV_CACHE?: "fp16" | "int8" };
  /** Of a model that is older than chat templates: what the model reads of a message, by its model card. */
  prompt?: (text: string) => string;
}

const families: readonly Family[] = [
  { name: "LlamaForCausalLM", config: { model_type: "llama", ...grouped }, settings: { KV_CACHE: "int8" } },
  { name: "MistralForCausalLM", config: { model_type: "mistral", sliding_window: 16, ...grouped } },
  {
    name: "Qwen2ForCausalLM",
    config: { model_type: "qwen2", ...grouped },
    settings: { QUANTIZATION: "int8", KV_CACHE: "fp16" },
  },
  { name: "Qwen3ForCausalLM", config: { model_type: "qwen3", ...wide }, settings: { QUANTIZATION: "int4" } },
  {
    name: "GPTNeoXForCausalLM",
    config: { model_type: "gpt_neox", rotary_pct: 0.5, ...sizes },
    settings: { QUANTIZATION: "int8" },
    prompt: (text) => `<human>: ${text}\n<bot>:`,
  },
  {
    name: "FalconForCausalLM",
    config: { model_type: "falcon", ...sizes },
    settings: { KV_CACHE: "fp16" },
    prompt: (text) => `### Question:\n${text}\n### Answer:\n`,
  },
  {
    name: "GPT2LMHeadModel",
    config: { model_type: "gpt2", n_embd: 32, n_head: 4, n_layer: 2, n_positions: 256 },
    settings: { QUANTIZATION: "int4", KV_CACHE: "int8" },
  },
  {
    name: "Phi3ForCausalLM",
    config: { model_type: "phi3", ...grouped },
    settings: { QUANTIZATION: "int4", KV_CACHE: "fp16" },
  },
  { name: "Gemma2ForCausalLM", config: { model_type: "gemma2", sliding_window: 16, ...wide } },
  {
    name: "Gemma3ForCausalLM",
    config: { model_type: "gemma3_text", sliding_window: 16, sliding_window_pattern: 2, ...wide },
    settings: { QUANTIZATION: "int8", KV_CACHE: "int8" },
  },
];

/** Counts up as pieces of replies reach the page. Tiny models write faster than a page is drawn, so frames tell. */
function countPieces(tab: Tab): { pieces: number } {
  const counted = { pieces: 0 };
  tab.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      if (payload.toString().startsWith('42/chat,["token"')) counted.pieces += 1;
    });
  });
  return counted;
}

/** The text that the model read of the only exchange so far. */
async function promptOf(url: string, { folder, architecture }: RandomCheckpoint): Promise<string> {
  const line = await (await fetch(`${url}/api/exchanges/export?format=jsonl`)).text();
  const { promptTokens } = JSON.parse(line) as ExchangeRecord;
  return loadTokenizer(folder, architecture.vocabularySize).decode(promptTokens);
}

const missing = missingForPages();
let browser: Browser | undefined;
beforeAll(async () => {
  if (missing.length === 0) browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.each(families)("$name is served", ({ name, config, settings = {}, prompt }) => {
  let checkpoint: RandomCheckpoint;
  let server: RunningServer;
  beforeAll(async () => {
    checkpoint = randomCheckpoint({ config: { architectures: [name], ...config }, chatTemplate: prompt === undefined });
    server = await startServer({ MODEL: checkpoint.folder, ADAPTER: "base", ...settings });
  }, 30_000);
  afterAll(async () => {
    await server?.stop();
    server?.remove();
    checkpoint.remove();
  });

  it("answers a chat", async () => {
    const status = await getJson<ServerStatus>(`${server.url}/api/status`);
    expect(status.model).toMatchObject({ architecture: name, quantization: settings.QUANTIZATION ?? "none" });
    expect(status.adapter.state).toBe("base");

    const text = "Who are you?";
    const chat = await connectChat(server.url);
    const { pieces, done } = await chat.say(text, { maxTokens: 24, temperature: 1, seed: 1 });
    chat.close();
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toBe(done.text);
    expect(["stop", "length"]).toContain(done.finishReason);
    expect(done.adapter.version).toBe(0);
    if (prompt !== undefined) expect(await promptOf(server.url, checkpoint)).toBe(prompt(text));
  });

  it.runIf(missing.length === 0)("answers in the page, which says what wrote the reply", async () => {
    const context = await (browser as Browser).newContext({ baseURL: server.url });
    const tab = await context.newPage();
    tab.setDefaultTimeout(10_000);
    const complaints = hearComplaints(tab);
    const counted = countPieces(tab);
    const text = `Who taught you that, ${name}?`;
    await tab.goto("/");
    const shown = await sayOnPage(tab, text);

    const { items } = await getJson<Page<ExchangeSummary>>(`${server.url}/api/annotation/queue`);
    const logged = items.find(({ messages }) => messages.at(-1)?.content === text);
    expect(shown.length).toBeGreaterThan(0);
    expect(shown).toBe(logged?.reply);
    expect(counted.pieces).toBeGreaterThan(1);
    const { model, adapter } = await getJson<ServerStatus>(`${server.url}/api/status`);
    const reply = tab.getByRole("article", { name: "Reply" });
    await reply.getByText(`${adapter.name}@${adapter.version}`).waitFor();

    await tab.goto("/operate");
    const facts = tab.getByRole("region", { name: "Server" });
    await facts.getByText(model.id).waitFor();
    await facts.getByText(new RegExp(`^${name}, `)).waitFor();
    await facts.getByText(settings.QUANTIZATION ?? "not quantized").waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });
});

async function getJson<Body>(url: string): Promise<Body> {
  return (await (await fetch(url)).json()) as Body;
}
