import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Store } from "../ports.ts";
import { toRecord } from "../store/exchange-mapping.ts";
import { isHeldOut } from "../training/holdout.ts";
import { reasonToExclude } from "../training/snapshot.ts";

/** More would make a gate take longer and hardly tell more. */
const mostHeldOut = 128;
const pageSize = 200;
/** Pages of the log that are looked through for them, newest first. */
const mostPages = 50;

export interface HeldOutOptions {
  store: Store;
  file: string;
  share: number;
  rewardVersion: string;
}

/**
 * Writes the newest exchanges of held-out conversations, one JSON object a line: complete, with consent, and judged by
 * this reward. @returns how many
 */
export async function writeHeldOut({ store, file, share, rewardVersion }: HeldOutOptions): Promise<number> {
  const lines: string[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < mostPages && lines.length < mostHeldOut; page++) {
    const { items, nextCursor } = await store.exchangeQueries.page(
      { status: "complete", consent: true },
      pageSize,
      cursor,
    );
    for (const exchange of items) {
      const record = isHeldOut(exchange.conversationId, share) ? toRecord(exchange) : null;
      if (record === null || reasonToExclude(record, rewardVersion) !== null) continue;
      if (lines.length < mostHeldOut) lines.push(`${JSON.stringify(record)}\n`);
    }
    cursor = nextCursor;
    if (cursor === null) break;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, lines.join(""));
  return lines.length;
}
