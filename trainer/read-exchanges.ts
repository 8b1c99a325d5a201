/** The exchanges of a snapshot, one JSON object a line, with the fields that training looks at checked. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { TrainerError } from "./trainer-error.ts";

// JSON has no NaN: a number that was not finite arrives as null.
const numberOrNull = z.number().nullable();

const exchangeSchema = z.object({
  id: z.string(),
  conversationId: z.string(),
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

/** @throws TrainerError `bad_snapshot` naming file and line of what is no exchange */
export function readExchanges(path: string): SnapshotExchange[] {
  const exchanges: SnapshotExchange[] = [];
  for (const [index, line] of readFileSync(path, "utf8").split("\n").entries()) {
    if (line === "") continue;
    const where = `${path}, line ${index + 1}`;
    let content: unknown;
    try {
      content = JSON.parse(line);
    } catch (cause) {
      throw new TrainerError("bad_snapshot", `${where}: is not JSON`, { cause });
    }
    const parsed = exchangeSchema.safeParse(content);
    if (!parsed.success) {
      throw new TrainerError("bad_snapshot", `${where}: is not an exchange: ${z.prettifyError(parsed.error)}`);
    }
    exchanges.push(parsed.data);
  }
  return exchanges;
}
