/** Each family of decoders behind the real server: a tiny random checkpoint is served and answers a chat. */
import { describe, expect, it } from "vitest";
import { type RandomCheckpoint, randomCheckpoint } from "../engine/generation/random-checkpoint.ts";
import { loadTokenizer } from "../engine/tokenizer/tokenizer.ts";
import type { ServerStatus } from "../server/protocol/index.ts";
import type { ExchangeRecord } from "../trainer/contract.ts";
import { connectChat } from "./support/chat-client.ts";
import { startServer } from "./support/running-server.ts";

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
  settings?: { QUANTIZATION?: "int8" | "int4"; KV_CACHE?: "fp16" };
  /** Of a model that is older than chat templates: what the model reads of a message, by its model card. */
  prompt?: (text: string) => string;
}

const families: readonly Family[] = [
  { name: "LlamaForCausalLM", config: { model_type: "llama", ...grouped } },
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
    settings: { QUANTIZATION: "int4", KV_CACHE: "fp16" },
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
    settings: { QUANTIZATION: "int8", KV_CACHE: "fp16" },
  },
];

/** The text that the model read of the only exchange so far. */
async function promptOf(url: string, { folder, architecture }: RandomCheckpoint): Promise<string> {
  const line = await (await fetch(`${url}/api/exchanges/export?format=jsonl`)).text();
  const { promptTokens } = JSON.parse(line) as ExchangeRecord;
  return loadTokenizer(folder, architecture.vocabularySize).decode(promptTokens);
}

describe("every family is served", () => {
  it.each(families)("$name answers a chat", async ({ name, config, settings = {}, prompt }) => {
    const checkpoint = randomCheckpoint({
      config: { architectures: [name], ...config },
      chatTemplate: prompt === undefined,
    });
    try {
      const server = await startServer({ MODEL: checkpoint.folder, ADAPTER: "base", ...settings });
      try {
        const status = (await (await fetch(`${server.url}/api/status`)).json()) as ServerStatus;
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
      } finally {
        await server.stop();
        server.remove();
      }
    } finally {
      checkpoint.remove();
    }
  });
});
