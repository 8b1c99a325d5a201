import { describe, expect, it } from "vitest";
import { loggedExamples } from "./logged-examples.ts";

const tokenizer = {
  encodeReply: (text: string) => [...[...text].map((letter) => letter.charCodeAt(0)), 9],
  stopTokens: new Set([9, 3]),
};
const model = { contextLength: 8 };

type Exchange = Parameters<typeof loggedExamples>[0][number];
type Annotation = Exchange["annotations"][number];

const annotation = (changes: Partial<Annotation>): Annotation => ({
  label: "good",
  annotator: "ann",
  createdAt: "2026-03-01T10:00:00Z",
  ...changes,
});

const exchange = (changes: Partial<Exchange> = {}): Exchange => ({
  id: "exchange",
  conversationId: "conversation",
  promptTokens: [1, 2],
  replyTokens: [5, 3],
  finishReason: "stop",
  annotations: [annotation({})],
  consent: true,
  ...changes,
});

/** What the only conversation, which validates, is made into. */
function exampleOf(changes: Partial<Exchange>) {
  const { validation, discarded } = loggedExamples([exchange(changes)], tokenizer, model, { maxTokensPerPass: 6 });
  return validation[0] ?? discarded;
}

describe("examples from judged exchanges", () => {
  it("take a good reply with its logged tokens", () => {
    expect(exampleOf({})).toEqual({ promptTokens: [1, 2], replyTokens: [5, 3], exchange: "exchange" });
  });

  it("take the newest rewrite, whether the reply ended or not", () => {
    const annotations = [
      annotation({ label: "toxic", rewrite: "bb", createdAt: "2026-03-02T10:00:00Z" }),
      annotation({ label: "toxic", rewrite: "a" }),
    ];
    expect(exampleOf({ annotations })).toEqual({
      promptTokens: [1, 2],
      replyTokens: [98, 98, 9],
      exchange: "exchange",
    });
    expect(exampleOf({ annotations, finishReason: "length" })).toMatchObject({ replyTokens: [98, 98, 9] });
  });

  it.each<[string, Partial<Exchange>]>([
    ["no_consent", { consent: false }],
    ["no_wanted_reply", { annotations: [] }],
    ["no_wanted_reply", { annotations: [annotation({}), annotation({ label: "evasive" })] }],
    ["no_wanted_reply", { finishReason: "length" }],
    ["no_wanted_reply", { annotations: [annotation({ label: "toxic", rewrite: " " })] }],
    ["empty", { promptTokens: [] }],
    ["does_not_fit_model", { promptTokens: [1, 1, 1, 1, 1, 1, 1, 1] }],
    ["longer_than_pass", { promptTokens: [1, 1, 1, 1, 1, 1] }],
  ])("leave out and count as %s: %o", (reason, changes) => {
    expect(exampleOf(changes)).toEqual({ [reason]: 1 });
  });

  it("keep a conversation on one side", () => {
    const exchanges = Array.from({ length: 200 }, (_, index) =>
      exchange({ conversationId: `conversation ${index >> 1}`, promptTokens: [index >> 1] }),
    );
    const { train, validation } = loggedExamples(exchanges, tokenizer, model, { maxTokensPerPass: 6 });
    const trained = new Set(train.map(({ promptTokens }) => promptTokens[0]));
    expect(train.length + validation.length).toBe(200);
    expect(validation.length).toBeGreaterThan(4);
    expect(validation.filter(({ promptTokens }) => trained.has(promptTokens[0]))).toEqual([]);
  });
});
