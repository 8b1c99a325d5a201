/** From a conversation and a new message to what the model is shown: template, then history cut to what fits. */
import { type BaseMessage, trimMessages } from "@langchain/core/messages";
import { ChatPromptTemplate, MessagesPlaceholder } from "@langchain/core/prompts";
import type { ChatMessage, Engine } from "../../engine/types.ts";
import { RequestError } from "../request-error.ts";
import { fromChatMessages, toChatMessages } from "./messages.ts";

export interface Turn {
  user: string;
  reply: string;
}

export interface Prompt {
  messages: ChatMessage[];
  promptTokens: number[];
}

export interface PromptBuilderOptions {
  engine: Pick<Engine, "model" | "renderChat" | "countTokens">;
  systemPrompt: string | undefined;
}

/** Room that is kept for the reply where the caller asks for no length: a quarter of the context, at most 128 tokens. */
export function defaultReplyRoom(contextLength: number): number {
  return Math.max(1, Math.min(128, Math.floor(contextLength / 4)));
}

export function createPromptBuilder({ engine, systemPrompt }: PromptBuilderOptions) {
  const { contextLength } = engine.model;
  const defaultMaxTokens = defaultReplyRoom(contextLength);
  const template = ChatPromptTemplate.fromMessages([
    new MessagesPlaceholder("system"),
    new MessagesPlaceholder("history"),
    ["human", "{message}"],
  ]);
  // What role tags and turn ends add to one message; the generation prompt is counted with each, so it never falls short.
  const probe = "x";
  const perMessage = engine.renderChat([{ role: "user", content: probe }]).length - engine.countTokens(probe);

  function tooLong(tokens: number, room: number): RequestError {
    return new RequestError(
      400,
      "message_too_long",
      `The message takes ${tokens} tokens; the model reads at most ${room} and needs the rest of its ` +
        `${contextLength} for the reply`,
    );
  }

  /**
   * Renders messages as they stand, for callers that keep the history themselves.
   * @param asked length of the reply; by default what room there is, at most `defaultMaxTokens`
   * @param askedAs the caller's name for it
   * @throws RequestError `context_length_exceeded`, whose `param` is the messages if they leave no room at all
   */
  function render(
    messages: ChatMessage[],
    asked: number | undefined,
    askedAs = "maxTokens",
  ): { prompt: Prompt; maxTokens: number } {
    const promptTokens = engine.renderChat(messages);
    const room = contextLength - promptTokens.length;
    const maxTokens = asked ?? Math.min(defaultMaxTokens, room);
    if (maxTokens > room || maxTokens < 1) {
      throw new RequestError(
        400,
        "context_length_exceeded",
        `This model's maximum context length is ${contextLength} tokens, but you asked for ` +
          `${promptTokens.length + Math.max(1, maxTokens)}: ${promptTokens.length} in the messages and ` +
          `${Math.max(1, maxTokens)} for the reply` +
          (room < 1 ? "" : `; ${askedAs} may be at most ${room}, got ${maxTokens}`),
        { details: { param: room < 1 ? "messages" : askedAs } },
      );
    }
    return { prompt: { messages, promptTokens }, maxTokens };
  }

  /**
   * Puts the message after as many whole turns of its history as leave `maxTokens` for the reply; the oldest go first.
   * @throws RequestError `message_too_long` when the message alone does not fit
   */
  async function compose(history: readonly Turn[], message: string, maxTokens: number): Promise<Prompt> {
    const room = contextLength - maxTokens;
    const turns = history.flatMap(({ user, reply }): ChatMessage[] => [
      { role: "user", content: user },
      { role: "assistant", content: reply },
    ]);
    const counted = new Map<BaseMessage["content"], number>();
    const count = (content: BaseMessage["content"]): number => {
      const known = counted.get(content);
      if (known !== undefined) return known;
      const tokens = engine.countTokens(String(content)) + perMessage;
      counted.set(content, tokens);
      return tokens;
    };
    const composed = await template.formatMessages({
      system: fromChatMessages(systemPrompt === undefined ? [] : [{ role: "system", content: systemPrompt }]),
      history: fromChatMessages(turns),
      message,
    });
    const trimmed = await trimMessages(composed, {
      maxTokens: room,
      tokenCounter: (messages) => messages.reduce((sum, each) => sum + count(each.content), 0),
      strategy: "last",
      startOn: "human",
      includeSystem: true,
    });
    const kept = toChatMessages(trimmed);
    if (kept.at(-1)?.role !== "user") throw tooLong(count(message), room);
    const promptTokens = engine.renderChat(kept);
    if (promptTokens.length > room) throw tooLong(count(message), room);
    return { messages: kept, promptTokens };
  }

  return { render, compose, contextLength, defaultMaxTokens };
}

export type PromptBuilder = ReturnType<typeof createPromptBuilder>;
