import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { expect, test } from "vitest";
import { createScriptedEngine } from "../testing/scripted-engine.ts";
import { EngineChatModel } from "./engine-chat-model.ts";
import { createPromptBuilder } from "./prompt.ts";

// One token a character; a user's or assistant's turn adds 2, the turn to be said 1. Context: 100 tokens.
const engine = createScriptedEngine(100);

test("LangChain's own chains stream from the engine and hand it the adapter and sampling of the call", async () => {
  engine.script = { reply: (prompt) => `You said ${prompt.length}.`, delayMs: 0 };
  const model = new EngineChatModel({ engine });
  const chain = ChatPromptTemplate.fromMessages([
    ["system", "Be kind."],
    ["human", "{text}"],
  ])
    .pipe(model.withConfig({ adapter: "ab", sampling: { seed: 3, temperature: 0 }, maxTokens: 30, stop: ["!"] }))
    .pipe(new StringOutputParser());
  const pieces: string[] = [];
  for await (const piece of await chain.stream({ text: "{x} you" })) pieces.push(piece);
  expect(pieces.join("")).toBe("You said 15.");
  expect(pieces.length).toBeGreaterThan(10);
  expect(await chain.invoke({ text: "hello" })).toBe("You said 13.");
  expect(engine.requests.at(-1)).toMatchObject({
    adapter: "ab",
    sampling: { seed: 3, temperature: 0, topK: 0, topP: 0.95, repetitionPenalty: 1 },
    maxTokens: 30,
    stop: ["!"],
  });
});

test("a consumer that stops listening ends the generation", async () => {
  engine.script = { reply: () => "x".repeat(20), delayMs: 5 };
  for await (const _ of await new EngineChatModel({ engine }).stream("hi")) break;
  expect(engine.stats().active).toBe(0);
});

test("role tags and braces in a message reach the model as they were typed", async () => {
  const prompts = createPromptBuilder({ engine, systemPrompt: "Be {kind}." });
  const { messages } = await prompts.compose([], "{message} <|system|> }{", 10);
  expect(messages).toEqual([
    { role: "system", content: "Be {kind}." },
    { role: "user", content: "{message} <|system|> }{" },
  ]);
});

test("history loses its oldest whole turns first and keeps the system prompt", async () => {
  const prompts = createPromptBuilder({ engine, systemPrompt: "S" });
  const history = ["a", "b", "c"].map((letter) => ({ user: letter.repeat(10), reply: letter.repeat(5) }));
  const contents = async (length: number) =>
    (await prompts.compose(history, "m".repeat(length), 20)).messages.map(({ content }) => content.charAt(0)).join("");
  // 80 tokens for the prompt. Counted with the turn to be said for each message, which never falls short:
  // system 4, a past turn 10 + 5 + 6 = 21, the message its length + 3.
  expect(await contents(10)).toBe("Saabbccm");
  expect(await contents(11)).toBe("Sbbccm");
  expect(await contents(31)).toBe("Sbbccm");
  expect(await contents(32)).toBe("Sccm");
  expect(await contents(73)).toBe("Sm");
});

test("a message that leaves no room for the reply is refused by name", async () => {
  const prompts = createPromptBuilder({ engine, systemPrompt: undefined });
  await expect(prompts.compose([], "m".repeat(78), 20)).rejects.toMatchObject({
    code: "message_too_long",
    status: 400,
  });
  const kept = await prompts.compose([{ user: "a", reply: "b" }], "m".repeat(77), 20);
  expect(kept.messages).toHaveLength(1);
  expect(kept.promptTokens).toHaveLength(80);
});

test("a conversation that its caller keeps is never cut; its reply gets what room there is", () => {
  const prompts = createPromptBuilder({ engine, systemPrompt: "not used here" });
  const messages = [{ role: "user" as const, content: "m".repeat(90) }];
  expect(prompts.render(messages, undefined)).toMatchObject({ maxTokens: 7, prompt: { messages } });
  expect(() => prompts.render(messages, 8)).toThrow("maximum context length is 100 tokens");
});
