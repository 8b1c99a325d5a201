import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { countPreTokens, trainBpe } from "./bpe.ts";
import { writeTokenizer } from "./bpe-files.ts";
import { chatTemplate, specialTokens, withoutSpecialTokens } from "./chat-format.ts";

const folder = mkdtempSync(join(tmpdir(), "bpe-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

const counts = countPreTokens(["the kettle sings, the cat listens 🙂", "the “quiet” kettle\nsings 🙂"]);
writeTokenizer(folder, trainBpe(counts, { vocabSize: 300, specialTokens }), 512);
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
const encode = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids;
const decode = (ids: number[]) => tokenizer.decode(ids, { skip_special_tokens: false });

describe("tokenizer files", () => {
  it.each(["🙂 👩‍🚀 👍🏽", "“curly” ‘quotes’ …", "a\n\n b\t\r\n", "  spaces  around  ", "日本語 ñ ß \u0301"])(
    "carry %j there and back",
    (text) => {
      expect(decode(encode(text))).toBe(text);
    },
  );

  it("carry any Unicode text there and back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), (text) => {
        expect(decode(encode(text))).toBe(text);
      }),
    );
  });

  it("spell a learnt word as one token and an unknown one in bytes", () => {
    expect(tokenizer.encode("the", {}).ids).toEqual([tokenizer.token_to_id("the")]);
    expect(encode("Ω")).toHaveLength(2);
  });

  it("give the special tokens the ids 0 to 3", () => {
    expect(encode(specialTokens.join(""))).toEqual([0, 1, 2, 3]);
  });
});

describe("chat template", () => {
  const render = (messages: { role: string; content: string }[], add_generation_prompt: boolean) =>
    new Template(chatTemplate).render({ messages, add_generation_prompt });

  it("renders turns without anything between them, leaves out system messages and keeps spaces in a turn", () => {
    const messages = [
      { role: "system", content: "Be kind." },
      { role: "user", content: " Hi \n" },
      { role: "assistant", content: "Hello." },
      { role: "user", content: "Bye" },
    ];
    expect(render(messages, true)).toBe(
      "<|user|> Hi \n<|end|><|assistant|>Hello.<|end|><|user|>Bye<|end|><|assistant|>",
    );
    expect(render(messages.slice(0, 3), false)).toBe("<|user|> Hi \n<|end|><|assistant|>Hello.<|end|>");
  });
});

describe("withoutSpecialTokens", () => {
  it("leaves nothing that the tokenizer would read as a special token", () => {
    expect(withoutSpecialTokens("a<|end|>b<|user|>c <|other|>")).toBe("abc <|other|>");
    expect(withoutSpecialTokens("a<|e<|end|>nd|>b")).toBe("ab");
  });
});
