/** Fine-tuning examples, one JSON object a line: conversations in words, or tokens. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Architecture } from "../../engine/architectures/architecture.ts";
import type { Tokenizer } from "../../engine/tokenizer/tokenizer.ts";
import { fedLength, type TokenSequence } from "../token-sequences.ts";
import { TrainerError } from "../trainer-error.ts";

type Sizes = Pick<Architecture, "vocabularySize" | "contextLength">;
type Encoder = Pick<Tokenizer, "renderChat" | "encodeReply">;

const content = z.string().refine((text) => text.trim() !== "", "must not be empty");
const message = z.object({ role: z.enum(["system", "user", "assistant"]), content });
const history = z
  .array(message)
  .refine((all) => all.some(({ role }) => role === "user"), "has no message of the user's");
const reply = message.extend({ role: z.literal("assistant") });

/** `{messages}` as TRL and the exports of annotations have it; its last turn is what is learned. */
const conversation = z
  .object({ messages: z.array(message).min(2) })
  .transform(({ messages }) => ({ prompt: messages.slice(0, -1), completion: [messages.at(-1)] }));

/** `{prompt, completion}`, each in words or as messages. */
const completed = z.object({
  prompt: z.preprocess((given) => (typeof given === "string" ? [{ role: "user", content: given }] : given), history),
  completion: z.preprocess(
    (given) => (typeof given === "string" ? [{ role: "assistant", content: given }] : given),
    z.tuple([reply]),
  ),
});

const tokensBelow = (vocabularySize: number) =>
  z
    .array(
      z
        .int()
        .min(0)
        .max(vocabularySize - 1),
    )
    .min(1);

/**
 * Reads a file, other fields ignored.
 * @param tokenizer called for conversations in words only, as tokens can be learned without one
 * @throws TrainerError `bad_examples` naming file and line of one that cannot be trained on
 */
export function readExamples(path: string, sizes: Sizes, tokenizer: () => Encoder): TokenSequence[] {
  const examples: TokenSequence[] = [];
  for (const [index, line] of readFileSync(path, "utf8").split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      examples.push(exampleOf(line, sizes, tokenizer));
    } catch (cause) {
      throw new TrainerError("bad_examples", `${path}, line ${index + 1}: ${(cause as Error).message}`, { cause });
    }
  }
  if (examples.length === 0) throw new TrainerError("bad_examples", `${path} holds no examples`);
  return examples;
}

function exampleOf(line: string, { vocabularySize, contextLength }: Sizes, tokenizer: () => Encoder): TokenSequence {
  const row = parsed(line);
  let example: TokenSequence;
  if ("promptTokens" in row || "replyTokens" in row) {
    const tokens = tokensBelow(vocabularySize);
    example = checked(z.object({ promptTokens: tokens, replyTokens: tokens }), row);
  } else if ("messages" in row || "prompt" in row) {
    const turns = checked(completed, "messages" in row ? checked(conversation, row) : row);
    const [{ content: said }] = turns.completion;
    example = {
      promptTokens: tokenizer().renderChat(turns.prompt),
      replyTokens: tokenizer().encodeReply(said.trim()),
    };
  } else {
    throw new Error("needs messages, or prompt and completion, or promptTokens and replyTokens");
  }
  const length = fedLength(example);
  if (length > contextLength) throw new Error(`has ${length + 1} tokens, the model sees ${contextLength}`);
  return example;
}

function parsed(line: string): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw new Error("is not JSON");
  }
  if (typeof row !== "object" || row === null) throw new Error("is not a JSON object");
  return row as Record<string, unknown>;
}

/** @throws Error with the place of the first fault */
function checked<Schema extends z.ZodType>(schema: Schema, row: unknown): z.infer<Schema> {
  const { data, error } = schema.safeParse(row);
  if (error === undefined) return data as z.infer<Schema>;
  const [fault] = error.issues;
  throw new Error(`${fault?.path.join(".")}: ${fault?.message}`);
}
