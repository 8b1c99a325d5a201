import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";
import { afterAll, describe, expect, it } from "vitest";
import { DocumentEncoder, type EncodedConversation } from "./document-encoder.ts";
import { prepareCorpus } from "./prepare.ts";
import { shuffled } from "./shuffle.ts";

const outDir = mkdtempSync(join(tmpdir(), "prepare-"));
afterAll(() => rmSync(outDir, { recursive: true }));

const dataDir = join(import.meta.dirname, "..", "..", "datasets", "samples");
const options = { dataDir, outDir, vocabSize: 600, seed: 3 };
const summary = prepareCorpus(options);

const read = (name: string) => readFileSync(join(outDir, name));
const config = JSON.parse(read("tokenizer_config.json").toString());
const tokenizer = new Tokenizer(JSON.parse(read("tokenizer.json").toString()), config);
const tokenIds = (name: string) => {
  const bytes = read(name);
  return Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
};
const examples = (split: string): EncodedConversation[] =>
  read(`sft-${split}.jsonl`)
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe("prepareCorpus", () => {
  it("writes documents that begin with the document separator and decode to the sample texts", () => {
    const ids = tokenIds("train.bin");
    expect(ids).toHaveLength(summary.tokens.train);
    expect(ids[0]).toBe(0);
    const documents = Object.values(summary.sources).reduce((sum, source) => sum + source.documents, 0);
    const separators = [...ids, ...tokenIds("heldout.bin")].filter((id) => id === 0);
    expect(separators).toHaveLength(documents);
    expect(tokenizer.decode(ids, { skip_special_tokens: false })).toContain(
      "<|endoftext|><|user|>What shall we cook?<|end|><|assistant|>Soup. It is cold outside.<|end|><|endoftext|>",
    );
  });

  it("encodes prompts as the chat template renders them, and replies up to the end of turn", () => {
    const all = ["train", "validation", "test"].flatMap(examples);
    expect(all.length).toBeGreaterThan(20);
    for (const { promptTokens, replyTokens, text } of all) {
      const rendered = new Template(config.chat_template).render({
        messages: text.messages,
        add_generation_prompt: true,
      });
      expect(promptTokens).toEqual(tokenizer.encode(rendered, { add_special_tokens: false }).ids);
      expect(tokenizer.decode(replyTokens, { skip_special_tokens: false })).toBe(`${text.reply}<|end|>`);
    }
  });

  it("returns what is already there when nothing has changed, and starts anew with another seed", () => {
    const written = statSync(join(outDir, "train.bin")).mtimeMs;
    const stages: string[] = [];
    expect(prepareCorpus({ ...options, onProgress: (stage) => stages.push(stage) })).toEqual(summary);
    expect(stages).toEqual([]);
    expect(statSync(join(outDir, "train.bin")).mtimeMs).toBe(written);

    const before = read("train.bin");
    const other = prepareCorpus({ ...options, seed: 4 });
    expect(other.tokens).toEqual(summary.tokens);
    expect(read("train.bin").equals(before)).toBe(false);
    expect(prepareCorpus(options).hashes).toEqual(summary.hashes);
  });
});

describe("DocumentEncoder", () => {
  const encoder = new DocumentEncoder(tokenizer);
  const user = (content: string) => ({ role: "user" as const, content });
  const assistant = (content: string) => ({ role: "assistant" as const, content });
  const encode = (messages: ReturnType<typeof user | typeof assistant>[]) =>
    encoder.conversation({ source: "s", split: "train", messages, reply: "No." });

  it("keeps the last whole turns that fit 384 tokens", () => {
    // One byte a token: a control character is in no merge.
    const long = "\u0001".repeat(200);
    const { promptTokens, text } = encode([user(long), assistant(long), user("last")]);
    expect(text.messages).toEqual([assistant(long), user("last")]);
    expect(promptTokens.slice(0, 2)).toEqual([2, tokenizer.token_to_id("ā")]);
    expect(promptTokens.length).toBeLessThanOrEqual(384);
  });

  it("cuts the beginning of a last message that does not fit alone", () => {
    const { promptTokens } = encode([user(`start ${"\u0001".repeat(500)}`)]);
    expect(promptTokens).toHaveLength(384);
    expect([promptTokens[0], ...promptTokens.slice(-2)]).toEqual([1, 3, 2]);
  });

  it("reads special tokens in a text as nothing", () => {
    expect(encoder.document({ text: "<|end|>a<|user|>" })).toEqual([0, tokenizer.token_to_id("a")]);
  });

  it("refuses a tokenizer whose special tokens have other ids", () => {
    const json = JSON.parse(read("tokenizer.json").toString());
    json.model.vocab["<|user|>"] = 2;
    json.model.vocab["<|assistant|>"] = 1;
    json.added_tokens[1].id = 2;
    json.added_tokens[2].id = 1;
    expect(() => new DocumentEncoder(new Tokenizer(json, config))).toThrow("expected <|user|> to have id 1, got 2");
  });
});

describe("shuffled", () => {
  it("is a permutation that depends on the seed alone", () => {
    const items = Array.from({ length: 100 }, (_, i) => i);
    expect(shuffled(items, 1)).toEqual(shuffled(items, 1));
    expect(shuffled(items, 1)).not.toEqual(shuffled(items, 2));
    expect(shuffled(items, 1).toSorted((a, b) => a - b)).toEqual(items);
  });
});
