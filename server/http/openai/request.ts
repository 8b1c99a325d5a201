/** Reads the body of POST /v1/chat/completions as OpenAI's API documents it. */
import { z } from "zod";
import type { ChatMessage } from "../../../engine/types.ts";
import { checkMessageText } from "../../chat/message-text.ts";
import { describeIssue } from "../../describe-issue.ts";
import { RequestError } from "../../request-error.ts";

const contentSchema = z.union(
  [
    z.string(),
    z.array(
      z.object({ type: z.literal("text", 'only parts of type "text" are supported'), text: z.string() }),
      "expected text or an array of text parts",
    ),
  ],
  "expected text or an array of text parts",
);

const messageSchema = z.object({
  role: z.enum(["system", "developer", "user", "assistant"], "expected system, developer, user or assistant"),
  content: contentSchema,
});

/** Wants that would silently change nothing are refused by name. */
const refused = z.never("is not supported by this server").optional();
const off = (value: number) => z.literal(value, "is not supported by this server").nullish();

const stopText = z.string("expected text").min(1, "expected text that is not empty");

const completionSchema = z.object({
  model: z.string("expected text"),
  messages: z.array(messageSchema).min(1, "expected at least one message"),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).max(1000).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stop: z.union([stopText, z.array(stopText).max(4)], "expected text or up to 4 texts").nullish(),
  seed: z.int().nullish(),
  n: z.int().min(1).max(8).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  presence_penalty: off(0),
  frequency_penalty: off(0),
  tools: refused,
  functions: refused,
  logit_bias: refused,
  response_format: z.object({ type: z.literal("text", 'only "text" is supported') }).nullish(),
  modalities: z.array(z.literal("text", 'only "text" is supported')).nullish(),
  /** Ours: may this exchange be used for training? */
  rejoinder: z.object({ consent: z.boolean().optional() }).nullish(),
});

export interface CompletionRequest {
  model: string;
  messages: ChatMessage[];
  stream: boolean;
  includeUsage: boolean;
  sampling: { temperature?: number; topP?: number; topK?: number };
  seed: number | undefined;
  maxTokens: number | undefined;
  /** What the caller calls it. */
  maxTokensParam: "max_tokens" | "max_completion_tokens";
  stop: string[];
  n: number;
  /** Alternatives to list per token; null when log-probs are not wanted at all. */
  topLogProbs: number | null;
  consent: boolean | undefined;
}

/** An error that names the parameter at fault. */
export function parameterError(param: string, message: string, code: string | null = null): RequestError {
  return new RequestError(400, code ?? "invalid_value", message, { details: { param } });
}

function checkContent(content: z.infer<typeof contentSchema>, index: number, role: string, maxChars: number): string {
  const text = typeof content === "string" ? content : content.map((part) => part.text).join("");
  // What the model itself or the operator said earlier may well be empty.
  if (role !== "user" && text.trim() === "") return text;
  try {
    return checkMessageText(text, maxChars);
  } catch (cause) {
    if (!(cause instanceof RequestError)) throw cause;
    throw new RequestError(400, cause.code, cause.message, { cause, details: { param: `messages[${index}].content` } });
  }
}

function pathName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === "number") return `${name}[${key}]`;
    return name === "" ? String(key) : `${name}.${String(key)}`;
  }, "");
}

/** @throws RequestError with `details.param` naming what is wrong */
export function parseCompletionRequest(body: unknown, maxMessageChars: number): CompletionRequest {
  if (typeof body !== "object" || body === null) {
    throw new RequestError(400, "invalid_json", "Expected a JSON object as the request body");
  }
  const parsed = completionSchema.safeParse(body, { reportInput: true });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const param = pathName(issue?.path ?? []);
    throw parameterError(param, describeIssue(issue, param));
  }
  const request = parsed.data;
  const messages = request.messages.map(({ role, content }, index): ChatMessage => {
    const text = checkContent(content, index, role, maxMessageChars);
    return { role: role === "developer" ? "system" : role, content: text };
  });
  if (messages.at(-1)?.role !== "user") {
    throw parameterError(`messages[${messages.length - 1}].role`, "The last message must be the user's");
  }
  if (request.top_logprobs != null && request.logprobs !== true) {
    throw parameterError(
      "top_logprobs",
      `top_logprobs: expected logprobs to be true beside it, got ${request.logprobs ?? "none"}`,
    );
  }
  const { temperature, top_p: topP, top_k: topK } = request;
  return {
    model: request.model,
    messages,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
    sampling: {
      ...(temperature == null ? {} : { temperature }),
      ...(topP == null ? {} : { topP }),
      ...(topK == null ? {} : { topK }),
    },
    seed: request.seed ?? undefined,
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    maxTokensParam: request.max_completion_tokens == null ? "max_tokens" : "max_completion_tokens",
    stop: typeof request.stop === "string" ? [request.stop] : (request.stop ?? []),
    n: request.n ?? 1,
    topLogProbs: request.logprobs === true ? (request.top_logprobs ?? 0) : null,
    consent: request.rejoinder?.consent,
  };
}
