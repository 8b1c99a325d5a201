import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { readJsonLines, readTsv } from "./read-rows.ts";
import { normalizeTurn } from "./split.ts";

/** What a message may say, as narrowly as one reply can answer it, and the replies that answer it. */
export interface Claim {
  /** Group and what is said of it, as `wom.lead`. */
  claim: string;
  /** The same in words. */
  about: string;
  replies: string[];
}

export interface ClaimedMessage {
  claim: string;
  text: string;
}

export interface WrittenReplies {
  claims: Claim[];
  /** Messages written for this project. */
  messages: ClaimedMessage[];
  /** The claims of messages in public data sets, which are known here by their keys only. */
  claimOfKey: Map<string, string>;
}

const claimRow = z.object({ claim: z.string(), about: z.string(), replies: z.array(z.string().min(1)).min(1) });
const messageRow = z.object({ claim: z.string(), text: z.string().min(1) });
const labelRow = z.object({ key: z.string().regex(/^[0-9a-f]{12}$/), claim: z.string() });

/** By what a message of a data set is found again: the first 12 hexadecimal digits of its normalized text's SHA-256. */
export function messageKey(text: string): string {
  return createHash("sha256").update(normalizeTurn(text)).digest("hex").slice(0, 12);
}

/**
 * The counter-narratives written for this project.
 * @param folder holds `claims.jsonl`, `messages.jsonl[.gz]` and `labels.tsv[.gz]`; README.md there says where they are from
 * @throws {Error} where a claim is described twice, or a message or label has one that is not described
 */
export function loadWrittenReplies(folder: string): WrittenReplies {
  const claims = readJsonLines(join(folder, "claims.jsonl"), claimRow);
  const known = new Set<string>();
  for (const { claim } of claims) {
    if (known.has(claim)) throw new Error(`${folder}/claims.jsonl: ${claim} is there twice`);
    known.add(claim);
  }
  const messages = readJsonLines(join(folder, "messages.jsonl"), messageRow);
  const labels = readTsv(join(folder, "labels.tsv"), labelRow);
  for (const { claim } of [...messages, ...labels]) {
    if (!known.has(claim)) throw new Error(`${folder}: there is no claim ${claim}, in claims.jsonl`);
  }
  return { claims, messages, claimOfKey: new Map(labels.map(({ key, claim }) => [key, claim])) };
}
