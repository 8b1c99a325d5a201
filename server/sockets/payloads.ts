import { z } from "zod";
import { checkMessageText } from "../chat/message-text.ts";
import { describeIssue } from "../describe-issue.ts";
import type { MessageRequest } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";

const id = z.string("expected text").min(1, "expected text").max(200, "expected at most 200 characters");

const optionsSchema = z.strictObject({
  consent: z.boolean().optional(),
  adapter: z.string().max(200).optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().gt(0).max(1).optional(),
  topK: z.int().min(0).max(1000).optional(),
  maxTokens: z.int().min(1).optional(),
  seed: z.int().min(0).optional(),
});

const messageSchema = z.object({
  conversationId: id.optional(),
  text: z.unknown(),
  clientMessageId: id,
  options: optionsSchema.optional(),
});

export const stopSchema = z.object({ exchangeId: id });
export const resumeSchema = z.object({ exchangeId: id, fromIndex: z.int().min(0) });
export const feedbackSchema = z.object({
  exchangeId: id,
  value: z.union([z.literal(1), z.literal(-1), z.literal(0)], "expected 1, -1 or 0"),
  reason: z.string().max(2000).optional(),
});

/** @throws RequestError that names the first field at fault; `invalid_option` for one of `options` */
export function parsePayload<T>(schema: z.ZodType<T>, payload: unknown): T {
  const parsed = schema.safeParse(payload, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join(".") ?? "";
  const code = issue?.path[0] === "options" ? "invalid_option" : "invalid_message";
  throw new RequestError(400, code, describeIssue(issue, path === "" ? "The request" : path));
}

export function parseMessage(payload: unknown, maxMessageChars: number): MessageRequest {
  const { text, ...rest } = parsePayload(messageSchema, payload);
  return { ...rest, text: checkMessageText(text, maxMessageChars) };
}
