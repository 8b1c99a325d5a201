/** Held-out prompts: files of them, and the conversations that are kept out of training. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { ChatMessage } from "../../engine/types.ts";
import { TrainerError } from "../trainer-error.ts";

const messageSchema = z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() });

const promptSchema = z
  .object({
    text: z.string().min(1).optional(),
    messages: z.array(messageSchema).min(1).optional(),
    reply: z.string().min(1).optional(),
  })
  .refine(({ text, messages }) => (text === undefined) !== (messages === undefined), {
    message: "expected either text or messages",
  });

export interface HeldOutPrompt {
  messages: ChatMessage[];
  /** What a person answered. */
  reply?: string;
}

/** One JSON object a line. @throws TrainerError `bad_prompts` naming file and line */
function readLines<T>(path: string, schema: z.ZodType<T>): T[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    throw new TrainerError("bad_prompts", `${path}: cannot be read`, { cause });
  }
  return content.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const where = `${path}, line ${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new TrainerError("bad_prompts", `${where}: is not JSON`, { cause });
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw new TrainerError("bad_prompts", `${where}: ${z.prettifyError(parsed.error)}`);
    return [parsed.data];
  });
}

/**
 * @param systemPrompt put before each `text`, as the server does; `messages` stand as they are
 * @throws TrainerError `bad_prompts` naming file and line
 */
export function readPrompts(path: string, systemPrompt?: string): HeldOutPrompt[] {
  const system: ChatMessage[] = systemPrompt === undefined ? [] : [{ role: "system", content: systemPrompt }];
  return readLines(path, promptSchema).map(({ text, messages, reply }) => ({
    messages: messages ?? [...system, { role: "user", content: text as string }],
    ...(reply === undefined ? {} : { reply }),
  }));
}

/** What the gate looks at in an exchange of a held-out conversation; the server has checked that it is complete. */
const heldOutSchema = z.object({
  id: z.string(),
  messages: z.array(messageSchema).min(1),
  promptTokens: z.array(z.int()).min(1),
  replyTokens: z.array(z.int()).min(1),
  logProbs: z.array(z.number()),
  sampling: z.object({ temperature: z.number().min(0) }),
  reward: z.object({ total: z.number() }),
});
export type HeldOutExchange = z.infer<typeof heldOutSchema>;

/** @throws TrainerError `bad_prompts` naming file and line */
export function readHeldOut(path: string): HeldOutExchange[] {
  return readLines(path, heldOutSchema);
}
