/** The exchanges of a snapshot, one JSON object a line, with the fields that training looks at checked. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { TrainerError } from "./trainer-error.ts";

// JSON has no NaN: a number that was not finite arrives as null.
const numberOrNull = z.number().nullable();

export const messagesSchema = z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() }));

const exchangeSchema = z.object({
  id: z.string(),
  conversationId: z.string(),
  messages: messagesSchema,
  promptTokens: z.array(z.int()),
  replyTokens: z.array(z.int()),
  logProbs: z.array(numberOrNull),
  sampling: z.object({ temperature: z.number().min(0) }),
  finishReason: z.enum(["stop", "length", "cancelled", "error"]),
  adapter: z.object({ version: z.int().min(0), sha256: z.string() }),
  reward: z.object({ total: numberOrNull }),
  annotations: z.array(
    z.object({
      label: z.enum(["toxic", "off_topic", "evasive", "good", "ok"]),
      rewrite: z.string().optional(),
      annotator: z.string(),
      createdAt: z.string(),
    }),
  ),
  consent: z.boolean(),
});

/** The part of an ExchangeRecord that training looks at. */
export type SnapshotExchange = z.infer<typeof exchangeSchema>;

/**
 * @param sha256 of the file when it was frozen
 * @throws TrainerError `bad_snapshot` naming file and line of what is no exchange, `tampered_snapshot` for another file
 */
export function readExchanges(path: string, sha256: string): SnapshotExchange[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TrainerError("bad_snapshot", `${path}: cannot be read`, { cause });
  }
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) {
    throw new TrainerError(
      "tampered_snapshot",
      `${path}: was changed after it was frozen: expected sha256 ${sha256}, got ${found}`,
    );
  }
  return readJsonLines(path, bytes.toString("utf8"), exchangeSchema, "bad_snapshot", "an exchange");
}

/** @throws TrainerError with the code, naming file and line of what does not fit */
export function readJsonLines<T>(
  path: string,
  content: string,
  schema: z.ZodType<T>,
  code: "bad_snapshot" | "bad_prompts",
  what: string,
): T[] {
  return content.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const where = `${path}, line ${index + 1}`;
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch (cause) {
      throw new TrainerError(code, `${where}: is not JSON`, { cause });
    }
    const checked = schema.safeParse(parsed);
    if (!checked.success) throw new TrainerError(code, `${where}: is not ${what}: ${z.prettifyError(checked.error)}`);
    return [checked.data];
  });
}
