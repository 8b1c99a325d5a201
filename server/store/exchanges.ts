import type { Kysely } from "kysely";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import type { AdapterIdentity, Annotation, FinishReason, ReplyToxicity } from "../protocol/index.ts";
import { createAnnotationRepository } from "./annotations.ts";
import { type StoredExchange, toStoredExchange } from "./exchange-mapping.ts";
import type { Database, ExchangeRow, FailedStep } from "./schema.ts";

export interface AcceptedExchange {
  id: string;
  conversationId: string;
  owner: string;
  clientMessageId: string;
  source: "socket" | "openai";
  createdAt: Date;
  messages: ExchangeRecord["messages"];
  promptTokens: readonly number[];
  sampling: ExchangeRecord["sampling"];
  maxTokens: number;
  adapter: AdapterIdentity;
  consent: boolean;
}

export interface ExchangeOutcome {
  completedAt: Date;
  reply: string;
  replyTokens: readonly number[];
  logProbs: readonly number[];
  finishReason: FinishReason;
  /** Null, like the reward, for a reply that could not be scored: it is kept, but does not train. */
  toxicity: ReplyToxicity | null;
  reward: ExchangeRecord["reward"] | null;
}

/** A reply whose log-probs do not stand beside its tokens one to one; such a row would corrupt PPO's ratios. */
export class MisalignedLogProbsError extends Error {}

function assertAligned(id: string, outcome: ExchangeOutcome): void {
  const { replyTokens, logProbs } = outcome;
  if (replyTokens.length !== logProbs.length) {
    throw new MisalignedLogProbsError(
      `Exchange ${id}: expected one log-prob a reply token, got ${replyTokens.length} tokens and ${logProbs.length} log-probs`,
    );
  }
  const bad = logProbs.findIndex((value) => !Number.isFinite(value) || value > 1e-4);
  if (bad >= 0) {
    throw new MisalignedLogProbsError(
      `Exchange ${id}: the log-prob of reply token ${bad} is ${logProbs[bad]}, expected a finite number of at most 0`,
    );
  }
}

/** The log of who said what and how it was sampled. */
export function createExchangeRepository(db: Kysely<Database>) {
  const annotations = createAnnotationRepository(db);

  async function withAnnotations(rows: ExchangeRow[]): Promise<StoredExchange[]> {
    const found = new Map<string, Annotation[]>();
    for (const annotation of await annotations.list(rows.map((row) => row.id))) {
      const list = found.get(annotation.exchangeId);
      if (list === undefined) found.set(annotation.exchangeId, [annotation]);
      else list.push(annotation);
    }
    return rows.map((row) => toStoredExchange(row, found.get(row.id) ?? []));
  }

  async function one(column: "id" | "client_message_id", value: string, owner?: string) {
    let query = db.selectFrom("exchanges").selectAll().where(column, "=", value);
    if (owner !== undefined) query = query.where("owner", "=", owner);
    const [exchange] = await withAnnotations(await query.limit(1).execute());
    return exchange ?? null;
  }

  return {
    /**
     * Logs a message before anyone is told that it was accepted; on disk when the promise resolves.
     * A conversation that does not exist is opened.
     */
    async accept(exchange: AcceptedExchange): Promise<void> {
      const at = exchange.createdAt.toISOString();
      await db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto("conversations")
          .values({
            id: exchange.conversationId,
            owner: exchange.owner,
            created_at: at,
          })
          .onConflict((conflict) => conflict.column("id").doNothing())
          .execute();
        await transaction
          .insertInto("exchanges")
          .values({
            id: exchange.id,
            conversation_id: exchange.conversationId,
            owner: exchange.owner,
            client_message_id: exchange.clientMessageId,
            source: exchange.source,
            created_at: at,
            status: "streaming",
            messages: JSON.stringify(exchange.messages),
            reply: "",
            prompt_tokens: JSON.stringify(exchange.promptTokens),
            reply_tokens: "[]",
            log_probs: "[]",
            sampling: JSON.stringify(exchange.sampling),
            max_tokens: exchange.maxTokens,
            adapter_name: exchange.adapter.name,
            adapter_version: exchange.adapter.version,
            adapter_sha256: exchange.adapter.sha256,
            consent: exchange.consent ? 1 : 0,
            feedback: 0,
          })
          .execute();
      });
    },

    /** @throws MisalignedLogProbsError, and then nothing is written. */
    async complete(id: string, outcome: ExchangeOutcome): Promise<void> {
      assertAligned(id, outcome);
      await db
        .updateTable("exchanges")
        .set({
          status: "complete",
          completed_at: outcome.completedAt.toISOString(),
          reply: outcome.reply,
          reply_tokens: JSON.stringify(outcome.replyTokens),
          log_probs: JSON.stringify(outcome.logProbs),
          finish_reason: outcome.finishReason,
          prompt_toxicity: outcome.toxicity?.prompt ?? null,
          reply_toxicity: outcome.toxicity?.reply ?? null,
          toxicity_attributes: outcome.toxicity && JSON.stringify(outcome.toxicity.attributes),
          reward_version: outcome.reward?.version ?? null,
          reward_total: outcome.reward?.total ?? null,
          reward_terms: outcome.reward && JSON.stringify(outcome.reward.terms),
        })
        .where("id", "=", id)
        .execute();
    },

    /** Marks a reply that did not end in order; what was said so far stays readable but never trains. */
    async cut(id: string, reply: string, at: Date, failedStep: FailedStep | null = null): Promise<void> {
      await db
        .updateTable("exchanges")
        .set({
          status: "cut",
          finish_reason: "error",
          reply,
          completed_at: at.toISOString(),
          failed_step: failedStep,
        })
        .where("id", "=", id)
        .execute();
    },

    /** At start: whatever was streaming when the last process died. Returns how many. */
    async cutAllStreaming(at: Date): Promise<number> {
      const { numUpdatedRows } = await db
        .updateTable("exchanges")
        .set({
          status: "cut",
          finish_reason: "error",
          completed_at: at.toISOString(),
        })
        .where("status", "=", "streaming")
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    get: (id: string): Promise<StoredExchange | null> => one("id", id),

    findByClientMessageId: (owner: string, clientMessageId: string): Promise<StoredExchange | null> =>
      one("client_message_id", clientMessageId, owner),

    /** In the order of `ids`; unknown ones are left out. */
    async getMany(ids: readonly string[]): Promise<StoredExchange[]> {
      if (ids.length === 0) return [];
      const rows = await db.selectFrom("exchanges").selectAll().where("id", "in", ids).execute();
      const byId = new Map((await withAnnotations(rows)).map((exchange) => [exchange.id, exchange]));
      return ids.flatMap((id) => byId.get(id) ?? []);
    },

    async conversationOwner(conversationId: string): Promise<string | null> {
      const query = db.selectFrom("conversations").select("owner").where("id", "=", conversationId);
      return (await query.executeTakeFirst())?.owner ?? null;
    },

    /** The latest turns, oldest first: exchanges whose reply the person has seen, in part or whole. */
    async history(conversationId: string, limit: number): Promise<{ user: string; reply: string }[]> {
      const rows = await db
        .selectFrom("exchanges")
        .select(["messages", "reply"])
        .where("conversation_id", "=", conversationId)
        .where("status", "=", "complete")
        .where("reply", "!=", "")
        .orderBy("seq", "desc")
        .limit(limit)
        .execute();
      return rows.reverse().map((row) => {
        const messages: ExchangeRecord["messages"] = JSON.parse(row.messages);
        return { user: messages.at(-1)?.content ?? "", reply: row.reply };
      });
    },

    /** Reversible: 0 takes it back. False when there is no such exchange of this owner. */
    async setFeedback(id: string, owner: string, value: number, reason: string | null): Promise<boolean> {
      const { numUpdatedRows } = await db
        .updateTable("exchanges")
        .set({ feedback: value, feedback_reason: reason })
        .where("id", "=", id)
        .where("owner", "=", owner)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    /** Reversible. False when there is no such exchange. */
    async setConsent(id: string, consent: boolean): Promise<boolean> {
      const query = db
        .updateTable("exchanges")
        .set({ consent: consent ? 1 : 0 })
        .where("id", "=", id);
      return (await query.executeTakeFirst()).numUpdatedRows > 0n;
    },

    withAnnotations,
  };
}

export type ExchangeRepository = ReturnType<typeof createExchangeRepository>;
