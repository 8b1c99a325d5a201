/**
 * What annotators' judgements say a reply should be: their rewrite, or the reply itself where they found it good.
 * Prompts and good replies keep their logged tokens; only a rewrite, which no model wrote, is tokenized.
 */
import { hashFraction } from "../../datasets/split.ts";
import type { Architecture } from "../../engine/architectures/architecture.ts";
import type { Tokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { ExchangeRecord } from "../contract.ts";
import type { SftSettings } from "../settings.ts";
import { fedLength } from "../token-sequences.ts";
import type { SftExample } from "./fine-tune.ts";

export interface LoggedExamples {
  train: SftExample[];
  validation: SftExample[];
  /** Exchanges left out, by reason. */
  discarded: Record<string, number>;
}

type Judged = Pick<
  ExchangeRecord,
  "id" | "conversationId" | "promptTokens" | "replyTokens" | "finishReason" | "annotations" | "consent"
>;

const validationShare = 0.1;

/** The newest rewrite, else the reply if it ended and was called good and nothing worse; null where nobody said so. */
function wantedReply(
  { annotations, replyTokens, finishReason }: Judged,
  tokenizer: Pick<Tokenizer, "encodeReply" | "stopTokens">,
): number[] | null {
  const newest = annotations.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));
  const rewrite = newest.findLast((annotation) => (annotation.rewrite ?? "").trim() !== "")?.rewrite;
  if (rewrite !== undefined) return tokenizer.encodeReply(rewrite.trim());
  const last = replyTokens.at(-1);
  const ended = finishReason === "stop" && last !== undefined && tokenizer.stopTokens.has(last);
  const isGood = annotations.some(({ label }) => label === "good");
  const isDisputed = annotations.some(({ label }) => label !== "good" && label !== "ok");
  return ended && isGood && !isDisputed ? replyTokens : null;
}

/** A tenth of the conversations, by the hash of their ids, validates; no conversation is on both sides. */
export function loggedExamples(
  exchanges: readonly Judged[],
  tokenizer: Pick<Tokenizer, "encodeReply" | "stopTokens">,
  { contextLength }: Pick<Architecture, "contextLength">,
  { maxTokensPerPass }: Pick<SftSettings, "maxTokensPerPass">,
): LoggedExamples {
  const discarded: Record<string, number> = {};
  const discard = (reason: string) => {
    discarded[reason] = (discarded[reason] ?? 0) + 1;
  };
  const found: { fraction: number; example: SftExample }[] = [];
  for (const exchange of exchanges) {
    const replyTokens = wantedReply(exchange, tokenizer);
    const example = { promptTokens: exchange.promptTokens, replyTokens: replyTokens ?? [], exchange: exchange.id };
    if (!exchange.consent) discard("no_consent");
    else if (replyTokens === null) discard("no_wanted_reply");
    else if (example.promptTokens.length === 0) discard("empty");
    else if (fedLength(example) > contextLength) discard("does_not_fit_model");
    else if (fedLength(example) > maxTokensPerPass) discard("longer_than_pass");
    else found.push({ fraction: hashFraction(exchange.conversationId), example });
  }
  // The conversation with the smallest hash validates in any case: without validation there is no best adapter.
  const smallest = Math.min(...found.map(({ fraction }) => fraction));
  const validates = (fraction: number) => fraction < validationShare || fraction === smallest;
  return {
    train: found.filter(({ fraction }) => !validates(fraction)).map(({ example }) => example),
    validation: found.filter(({ fraction }) => validates(fraction)).map(({ example }) => example),
    discarded,
  };
}
