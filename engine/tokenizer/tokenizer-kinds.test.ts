/** Every kind of tokenizer against Python's `tokenizers` and transformers: scripts/fixtures/tiny-tokenizers.py. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type ChatMessage, CheckpointError } from "../types.ts";
import { decodeTokens, IncrementalDecoder } from "./incremental-decoder.ts";
import { loadTokenizer } from "./tokenizer.ts";
import { readTokenizerFile } from "./tokenizer-file.ts";

const fixtures = join(import.meta.dirname, "../../test/fixtures/tokenizers");
const folder = mkdtempSync(join(tmpdir(), "tokenizer-kinds-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Reference {
  size: number;
  texts: { text: string; ids: number[]; marked: number[]; decoded: string }[];
  chats: { messages: ChatMessage[]; ids: number[] }[];
}

const referenceOf = (name: string) =>
  JSON.parse(readFileSync(join(fixtures, name, "reference.json"), "utf8")) as Reference;
const fileOf = (name: string) => readTokenizerFile(join(fixtures, name), referenceOf(name).size);
const chatOf = (name: string) => loadTokenizer(join(fixtures, name), referenceOf(name).size);

const pieces = ["llama2", "mistral", "phi3", "gemma", "unigram"];
const byteLevel = ["llama3", "neox", "falcon"];
const encoders = ["roberta", "bert"];

describe.each([...pieces, ...byteLevel, ...encoders])("%s", (name) => {
  const { texts } = referenceOf(name);

  it("encodes texts as Python does, alone and between the model's marks", () => {
    const file = fileOf(name);
    for (const { text, ids, marked } of texts) {
      expect([text, file.encode(text)]).toEqual([text, ids]);
      expect([text, file.encodeMarked(text)]).toEqual([text, marked]);
    }
  });

  it("decodes tokens as Python does, at once and one by one", () => {
    const { bytes } = fileOf(name);
    for (const { text, ids, decoded } of texts) {
      expect([text, decodeTokens(bytes, ids)]).toEqual([text, decoded]);
      const decoder = new IncrementalDecoder(bytes);
      const steps = [...ids.map((id) => decoder.push(id)), decoder.flush()];
      expect(steps.join("")).toBe(decoded);
      expect(steps.every((step) => step.isWellFormed() && !step.includes("\ufffd"))).toBe(true);
    }
  });
});

describe.each([...pieces, ...byteLevel])("a chat by %s", (name) => {
  it("has the tokens that transformers gives it", () => {
    const tokenizer = chatOf(name);
    for (const { messages, ids } of referenceOf(name).chats) expect(tokenizer.renderChat(messages)).toEqual(ids);
  });

  it("has a reply in it as it is encoded alone, and ends one with the template's mark or the end of the text", () => {
    const tokenizer = chatOf(name);
    const question = { role: "user", content: "Who are they?" } as const;
    const chat = tokenizer.renderChat([question, { role: "assistant", content: "They work here." }, question]);
    const reply = tokenizer.encodeReply("They work here.");
    expect(`${chat.join(" ")} `).toContain(` ${reply.slice(0, -1).join(" ")} `);
    const end = fileOf(name).control.find(({ id }) => id === reply.at(-1));
    const ends: Record<string, string> = { phi3: "<|end|>", gemma: "<end_of_turn>", llama3: "<|im_end|>" };
    expect(end?.content).toBe(ends[name] ?? "</s>");
    expect(tokenizer.stopTokens).toContain(end?.id);
  });

  it("has no control token but the template's, whatever people write", () => {
    const tokenizer = chatOf(name);
    const { control, path } = fileOf(name);
    const ids = new Set(control.map(({ id }) => id));
    const controlOf = (tokens: readonly number[]) => tokens.filter((token) => ids.has(token));
    const expected = controlOf(tokenizer.renderChat([{ role: "user", content: "plain" }]));
    const spelled = control.map(({ content }) => content);
    expect(spelled.length, path).toBeGreaterThan(1);
    const mischief = fc
      .array(fc.oneof(fc.string({ unit: "binary", maxLength: 4 }), fc.constantFrom(...spelled, "<", "|>", " ")))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(mischief, (content) => {
        expect(controlOf(tokenizer.renderChat([{ role: "user", content }]))).toEqual(expected);
        expect(controlOf(tokenizer.encode(content))).toEqual([]);
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

describe("roles and stops", () => {
  it.each([
    ["llama2", ["</s>", "<s>", "[/INST]", "[INST]"]],
    ["phi3", ["<|assistant|>", "<|end|>", "<|user|>"]],
    ["llama3", ["<|im_end|>", "<|im_start|>"]],
    ["gemma", ["<end_of_turn>", "<s>", "<start_of_turn>"]],
    ["neox", ["<bot>:", "<human>:"]],
    ["falcon", ["### Answer:", "### Question:"]],
  ])("of %s are %j", (name, tags) => {
    const tokenizer = chatOf(name);
    expect([...tokenizer.roleTags].sort()).toEqual(tags);
    const { config, control } = fileOf(name);
    const end = control.find(({ content }) => content === config.eos_token);
    expect(tokenizer.stopTokens.has(end?.id ?? -1)).toBe(true);
  });
});

describe("the space before a reply", () => {
  it("is no part of its text where the prompt ends with a mark in words", () => {
    for (const [name, text] of [
      ["neox", "Hello there!"],
      ["falcon", " Hello there!"],
    ] as const) {
      const tokenizer = chatOf(name);
      expect(decodeTokens(tokenizer.bytes, tokenizer.encode(" Hello there!"))).toBe(text);
    }
  });
});

describe("chat templates", () => {
  it("may be put beside the model, and then win", () => {
    cpSync(join(fixtures, "falcon"), folder, { recursive: true });
    writeFileSync(join(folder, "chat_template.jinja"), "Q: {{ messages[0].content }}\nA:");
    const { size } = referenceOf("falcon");
    const tokenizer = loadTokenizer(folder, size);
    expect(tokenizer.decode(tokenizer.renderChat([{ role: "user", content: "Why?" }]))).toBe("Q: Why?\nA:");
    rmSync(join(folder, "chat_template.jinja"));
  });

  it("are asked for by the file's name where a kind of model has none", () => {
    cpSync(join(fixtures, "falcon"), folder, { recursive: true });
    writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "gpt2" }));
    const load = () => loadTokenizer(folder, referenceOf("falcon").size);
    expect(load).toThrow(CheckpointError);
    expect(load).toThrow(
      `has no chat_template, and none is built in for model_type "gpt2"; put the model's own into ${join(folder, "chat_template.jinja")}`,
    );
  });

  it("are named by their file where they cannot be used", () => {
    cpSync(join(fixtures, "falcon"), folder, { recursive: true });
    writeFileSync(join(folder, "chat_template.jinja"), "{% for %}");
    expect(() => loadTokenizer(folder, referenceOf("falcon").size)).toThrow(
      "the chat template of chat_template.jinja cannot be rendered",
    );
    rmSync(join(folder, "chat_template.jinja"));
  });

  it("take the default of several", () => {
    cpSync(join(fixtures, "llama2"), folder, { recursive: true });
    const templates = [
      { name: "tool_use", template: "tools" },
      { name: "default", template: "<s>{{ messages[0].content }}" },
    ];
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ chat_template: templates }));
    const tokenizer = loadTokenizer(folder, referenceOf("llama2").size);
    expect(tokenizer.renderChat([{ role: "user", content: "a" }])).toEqual([1, ...tokenizer.encode("a")]);
  });
});

describe("decoders", () => {
  it("are refused by name where they are not known, or would change a reply's end after it was shown", () => {
    const json = JSON.parse(readFileSync(join(fixtures, "llama2/tokenizer.json"), "utf8")) as object;
    cpSync(join(fixtures, "llama2"), folder, { recursive: true });
    const load = (decoder: unknown) => {
      writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({ ...json, decoder }));
      return () => readTokenizerFile(folder, referenceOf("llama2").size);
    };
    expect(load({ type: "CTC" })).toThrow('tokenizer.json: decoder {"type":"CTC"} is not supported');
    expect(load({ type: "Strip", content: " ", start: 0, stop: 1 })).toThrow('"stop":1} is not supported');
    expect(load({ type: "Replace", pattern: { Regex: "a" }, content: "" })).toThrow(CheckpointError);
    expect(load(null)).toThrow("has no decoder");
  });
});
