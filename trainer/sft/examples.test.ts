import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadTokenizer } from "../../engine/tokenizer/tokenizer.ts";
import { readExamples } from "./examples.ts";

const folder = mkdtempSync(join(tmpdir(), "examples-"));
afterAll(() => rmSync(folder, { recursive: true }));

const tokenizer = loadTokenizer(join(import.meta.dirname, "../../models/rejoinder-tiny"), 8192);
const sizes = { vocabularySize: 8192, contextLength: 64 };
const path = join(folder, "examples.jsonl");

function read(...rows: unknown[]) {
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return readExamples(path, sizes, () => tokenizer);
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

describe("fine-tuning examples", () => {
  const expected = {
    promptTokens: tokenizer.renderChat([{ role: "user", content: "They are lazy." }]),
    replyTokens: [...tokenizer.encode("Many work two jobs."), 3],
  };

  it.each([
    ["messages", { messages: [user("They are lazy."), assistant(" Many work two jobs. ")] }],
    ["prompt and completion", { prompt: "They are lazy.", completion: "Many work two jobs.", label: true }],
    [
      "the same as messages",
      { prompt: [user("They are lazy.")], completion: [assistant("Many work two jobs.")], source: "other" },
    ],
    ["tokens", expected],
  ])("may be %s", (_, row) => {
    expect(read(row)).toEqual([expected]);
  });

  it("have all that was said before the last reply for their prompt", () => {
    const turns = [user("They are lazy."), assistant("Who?"), user("All of them.")] as const;
    const [example] = read({ messages: [...turns, assistant("Many work two jobs.")] });
    expect(example?.promptTokens).toEqual(tokenizer.renderChat(turns as unknown as []));
    expect(example?.replyTokens).toEqual(expected.replyTokens);
  });

  it.each([
    ["{", "is not JSON"],
    ["3", "is not a JSON object"],
    [{}, "needs messages, or prompt and completion, or promptTokens and replyTokens"],
    [{ messages: [user("They are lazy.")] }, "messages: "],
    [{ messages: [assistant("Who?"), user("They are lazy.")] }, "prompt: has no message of the user's"],
    [{ messages: [user("They are lazy."), user("All.")] }, "completion.0.role: "],
    [{ messages: [user("They are lazy."), assistant(" ")] }, "messages.1.content: must not be empty"],
    [{ prompt: "They are lazy." }, "completion: "],
    [{ promptTokens: [1, 8192], replyTokens: [1] }, "promptTokens.1: "],
    [{ promptTokens: [1], replyTokens: [] }, "replyTokens: "],
    [{ prompt: "lazy ".repeat(80), completion: "No." }, "has 88 tokens, the model sees 64"],
  ])("are refused by file and line where they cannot be trained on: %j", (row, message) => {
    expect(() => read(expected, "", row)).toThrow(`${path}, line 3: ${message}`);
  });

  it("are missed where a file has none", () => {
    expect(() => read("")).toThrow(`${path} holds no examples`);
  });
});
