/** What fresh rollouts answer. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Tokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { ChatMessage } from "../../engine/types.ts";
import { messagesSchema, readExchanges, readJsonLines } from "../read-exchanges.ts";
import { TrainerError } from "../trainer-error.ts";

export interface Prompt {
  messages: readonly ChatMessage[];
  promptTokens: readonly number[];
  /** The logged exchange that it comes from; null for one from a file. */
  exchange: string | null;
}

const promptSchema = z.object({
  messages: messagesSchema.refine(
    (messages) => messages.at(-1)?.role === "user",
    "the last message must be the user's",
  ),
});

/** @throws TrainerError `bad_prompts` naming file and line */
export function readPrompts(path: string, tokenizer: Pick<Tokenizer, "renderChat">): Prompt[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    throw new TrainerError("bad_prompts", `${path}: cannot be read`, { cause });
  }
  const rows = readJsonLines(path, content, promptSchema, "bad_prompts", "a prompt");
  return rows.map(({ messages }) => ({ messages, promptTokens: tokenizer.renderChat(messages), exchange: null }));
}

/**
 * The prompts of a snapshot's exchanges with consent, each once, by their logged tokens.
 * @throws TrainerError as `readExchanges`
 */
export function loggedPrompts(
  snapshot: string,
  sha256: string,
): { prompts: Prompt[]; discarded: Record<string, number> } {
  const prompts = new Map<string, Prompt>();
  const discarded: Record<string, number> = {};
  const discard = (reason: string) => {
    discarded[reason] = (discarded[reason] ?? 0) + 1;
  };
  for (const { id, consent, messages, promptTokens } of readExchanges(snapshot, sha256)) {
    const key = promptTokens.join();
    if (!consent) discard("no_consent");
    else if (promptTokens.length === 0) discard("empty");
    else if (prompts.has(key)) discard("same_prompt");
    else prompts.set(key, { messages, promptTokens, exchange: id });
  }
  return { prompts: [...prompts.values()], discarded };
}
