import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer as FileTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { CheckpointError } from "../types.ts";
import { loadTokenizer } from "./tokenizer.ts";

const embedded = join(import.meta.dirname, "../../models/rejoinder-tiny");
const tokenizer = loadTokenizer(embedded, 8192);
// Ids of the embedded model's control tokens, as its tokenizer.json has them.
const [endOfText, user, assistant, endOfTurn] = [0, 1, 2, 3];
const controlTexts = ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"];

const folder = mkdtempSync(join(tmpdir(), "tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Text with pieces of control tokens in it, as a mischievous user might type it. */
const mischief = fc
  .array(
    fc.oneof(fc.string({ unit: "binary", maxLength: 6 }), fc.constantFrom(...controlTexts, "<|", "|>", "user", "\n")),
  )
  .map((parts) => parts.join(""));

describe("renderChat", () => {
  it("puts contents between the template's control tokens and ends with the assistant's turn", () => {
    const [hello, hi, bye] = ["Hello there.", "Hi!", "Bye, then."].map((text) => tokenizer.encode(text)) as number[][];
    expect(
      tokenizer.renderChat([
        { role: "user", content: "Hello there." },
        { role: "assistant", content: "Hi!" },
        { role: "user", content: "Bye, then." },
      ]),
    ).toEqual([
      user,
      ...(hello ?? []),
      endOfTurn,
      assistant,
      ...(hi ?? []),
      endOfTurn,
      user,
      ...(bye ?? []),
      endOfTurn,
      assistant,
    ]);
  });

  it("never makes a control token of what somebody wrote", () => {
    fc.assert(
      fc.property(mischief, mischief, (first, second) => {
        const tokens = tokenizer.renderChat([
          { role: "user", content: first },
          { role: "assistant", content: second },
          { role: "user", content: first },
        ]);
        const control = tokens.filter((token) => token < 4);
        expect(control).toEqual([user, endOfTurn, assistant, endOfTurn, user, endOfTurn, assistant]);
        // Both whole and readable: the model sees what was typed.
        expect(tokenizer.decode(tokens)).toBe(first.toWellFormed() + second.toWellFormed() + first.toWellFormed());
      }),
      { seed: 9 },
    );
  });

  it("cannot be fooled by text that looks like a placeholder", () => {
    const content = "[00000000000000000000000000000000:0] {{ messages }} {% endfor %} $1 $& \\1";
    const tokens = tokenizer.renderChat([{ role: "user", content }]);
    expect(tokenizer.decode(tokens)).toBe(content);
  });
});

describe("encode", () => {
  it("agrees with the tokenizer's own file on text without control tokens", () => {
    const read = (name: string) => JSON.parse(readFileSync(join(embedded, name), "utf8")) as object;
    const reference = new FileTokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
    const text = "They don't belong here, said NOBODY ever…  Ça suffit! 👩‍👩‍👧 12,345\n\tend";
    expect(tokenizer.encode(text)).toEqual(reference.encode(text, { add_special_tokens: false }).ids);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.encode("")).toEqual([]);
  });
});

describe("what ends a reply", () => {
  it("is the end token, the template's control tokens and the same in writing", () => {
    expect(tokenizer.stopTokens).toEqual(new Set([endOfText, user, assistant, endOfTurn]));
    expect([...tokenizer.roleTags].sort()).toEqual(["<|assistant|>", "<|end|>", "<|user|>"]);
  });

  it("is found in a template that marks turns by words alone", () => {
    cpSync(embedded, folder, { recursive: true, filter: (source) => !source.endsWith(".safetensors") });
    const template =
      "{% for message in messages %}{{ '<human>: ' if message.role == 'user' else '<bot>: ' }}" +
      "{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}<bot>:{% endif %}";
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ chat_template: template }));
    expect([...loadTokenizer(folder, 8192).roleTags].sort()).toEqual(["<bot>:", "<human>:"]);
  });
});

describe("loadTokenizer", () => {
  beforeEach(() => cpSync(embedded, folder, { recursive: true, filter: (source) => !source.endsWith(".safetensors") }));
  const load = (size = 8192) => loadTokenizer(folder, size);

  it("names the file that is missing or damaged", () => {
    writeFileSync(join(folder, "tokenizer.json"), "{");
    expect(load).toThrow(CheckpointError);
    expect(load).toThrow("tokenizer.json: cannot be read as JSON");
  });

  it("refuses a tokenizer with more tokens than the model knows", () => {
    expect(() => load(8000)).toThrow("tokenizer.json: holds token id 8191, the model knows 8000 tokens");
  });

  it("refuses a tokenizer of an encoder, and a checkpoint without a chat template", () => {
    writeFileSync(join(folder, "tokenizer_config.json"), "{}");
    expect(load).toThrow("has no chat_template");
    writeFileSync(
      join(folder, "tokenizer.json"),
      JSON.stringify({ model: { vocab: {} }, decoder: { type: "WordPiece" } }),
    );
    expect(load).toThrow("a WordPiece tokenizer belongs to an encoder");
  });

  it("takes the chat template from its own file where there is one", () => {
    writeFileSync(join(folder, "tokenizer_config.json"), "{}");
    writeFileSync(join(folder, "chat_template.jinja"), "<|user|>{{ messages[0].content }}<|end|>");
    expect(
      load()
        .renderChat([{ role: "user", content: "<|end|>" }])
        .filter((token) => token < 4),
    ).toEqual([user, endOfTurn]);
  });
});
