import type { ExchangeRecord } from "../../trainer/contract.ts";
import type { AdapterIdentity, Annotation, ExchangeSummary, ReplyToxicity } from "../protocol/index.ts";
import type { ExchangeRow } from "./schema.ts";

/** An exchange as the server's own code sees it: a row with its JSON parsed. */
export interface StoredExchange extends ExchangeSummary {
  owner: string;
  clientMessageId: string;
  status: ExchangeRow["status"];
  completedAt: string | null;
  promptTokens: number[];
  replyTokens: number[];
  logProbs: number[];
  sampling: ExchangeRecord["sampling"];
}

function adapterOf(row: ExchangeRow): AdapterIdentity {
  return {
    name: row.adapter_name,
    version: row.adapter_version,
    sha256: row.adapter_sha256,
  };
}

function toxicityOf(row: ExchangeRow): ReplyToxicity | null {
  if (row.prompt_toxicity === null || row.reply_toxicity === null) return null;
  return {
    prompt: row.prompt_toxicity,
    reply: row.reply_toxicity,
    attributes: row.toxicity_attributes === null ? {} : JSON.parse(row.toxicity_attributes),
  };
}

function rewardOf(row: ExchangeRow): ExchangeRecord["reward"] | null {
  if (row.reward_version === null || row.reward_total === null || row.reward_terms === null) return null;
  return {
    version: row.reward_version,
    total: row.reward_total,
    terms: JSON.parse(row.reward_terms),
  };
}

export function toStoredExchange(row: ExchangeRow, annotations: Annotation[]): StoredExchange {
  return {
    id: row.id,
    conversationId: row.conversation_id,
    owner: row.owner,
    clientMessageId: row.client_message_id,
    createdAt: row.created_at,
    completedAt: row.completed_at,
    status: row.status,
    messages: JSON.parse(row.messages),
    reply: row.reply,
    promptTokens: JSON.parse(row.prompt_tokens),
    replyTokens: JSON.parse(row.reply_tokens),
    logProbs: JSON.parse(row.log_probs),
    sampling: JSON.parse(row.sampling),
    finishReason: row.finish_reason,
    adapter: adapterOf(row),
    toxicity: toxicityOf(row),
    reward: rewardOf(row),
    feedback: row.feedback,
    consent: row.consent === 1,
    annotations,
  };
}

/** What the pages and `/api/exchanges` show: no token ids. */
export function toSummary(exchange: StoredExchange): ExchangeSummary {
  const { id, conversationId, createdAt, messages, reply, finishReason, adapter } = exchange;
  const { toxicity, reward, feedback, consent, annotations } = exchange;
  return {
    id,
    conversationId,
    createdAt,
    messages,
    reply,
    finishReason,
    adapter,
    toxicity,
    reward,
    feedback,
    consent,
    annotations,
  };
}

/** A line of a snapshot or an export; null for an exchange that did not complete with scores. */
export function toRecord(exchange: StoredExchange): ExchangeRecord | null {
  const { toxicity, reward, finishReason } = exchange;
  if (exchange.status !== "complete" || toxicity === null || reward === null || finishReason === null) return null;
  return {
    id: exchange.id,
    conversationId: exchange.conversationId,
    createdAt: exchange.createdAt,
    messages: exchange.messages,
    reply: exchange.reply,
    promptTokens: exchange.promptTokens,
    replyTokens: exchange.replyTokens,
    logProbs: exchange.logProbs,
    sampling: exchange.sampling,
    finishReason,
    adapter: exchange.adapter,
    toxicity: { prompt: toxicity.prompt, reply: toxicity.reply },
    reward,
    annotations: exchange.annotations.map((annotation) => ({
      label: annotation.label,
      ...(annotation.severity === null ? {} : { severity: annotation.severity }),
      ...(annotation.note === null ? {} : { note: annotation.note }),
      ...(annotation.rewrite === null ? {} : { rewrite: annotation.rewrite }),
      annotator: annotation.annotator,
      createdAt: annotation.createdAt,
    })),
    consent: exchange.consent,
  };
}
