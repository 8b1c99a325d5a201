import { type Kysely, sql } from "kysely";
import type { FinishReason } from "../protocol/index.ts";
import type { Database } from "./schema.ts";

export interface ShadowReply {
  exchangeId: string;
  adapterVersion: number;
  reply: string;
  replyTokens: readonly number[];
  logProbs: readonly number[];
  finishReason: FinishReason;
  toxicity: number;
  rewardVersion: string;
  reward: number;
  at: string;
}

/** One reply as far as the watcher and the comparison of a trial care. */
export interface LoggedReply {
  exchangeId: string;
  conversationId: string;
  version: number;
  /** When it ended; ISO. */
  at: string;
  /** Cut by a failure of the generation. */
  failed: boolean;
  /** Null for one that failed, and for one that could not be scored. */
  judgement: { toxicity: number; reward: number; rewardVersion: string } | null;
}

/** A shadow reply beside the reply that the person saw. */
export interface ShadowPair {
  toxicity: number;
  liveToxicity: number;
  /** Null where the two were scored by different versions of the reward. */
  rewardDifference: number | null;
}

/** Somebody's objection to a reply. */
export interface Flag {
  /** The judgement's, as in `loadJudgements`. */
  id: string;
  exchangeId: string;
  /** When the reply ended; ISO. */
  at: string;
  /** Who objected: `annotator:NAME` or `chatter:OWNER`. */
  person: string;
}

/** What candidates on trial and the watcher write and ask. */
export function createRolloutQueries(db: Kysely<Database>) {
  return {
    /** The same exchange and adapter again changes nothing. */
    async putShadowReply(shadow: ShadowReply): Promise<void> {
      await db
        .insertInto("shadow_replies")
        .values({
          exchange_id: shadow.exchangeId,
          adapter_version: shadow.adapterVersion,
          reply: shadow.reply,
          reply_tokens: JSON.stringify(shadow.replyTokens),
          log_probs: JSON.stringify(shadow.logProbs),
          finish_reason: shadow.finishReason,
          toxicity: shadow.toxicity,
          reward_version: shadow.rewardVersion,
          reward: shadow.reward,
          at: shadow.at,
        })
        .onConflict((conflict) => conflict.columns(["exchange_id", "adapter_version"]).doNothing())
        .execute();
    },

    /** Of a candidate since its stage began, beside replies of the adapter that is live; oldest first. */
    async shadowPairs(version: number, liveVersion: number, since: string): Promise<ShadowPair[]> {
      const rows = await db
        .selectFrom("shadow_replies")
        .innerJoin("exchanges", "exchanges.id", "shadow_replies.exchange_id")
        .select([
          "shadow_replies.toxicity",
          "shadow_replies.reward",
          "shadow_replies.reward_version as version",
          "exchanges.reply_toxicity",
          "exchanges.reward_total",
          "exchanges.reward_version",
        ])
        .where("shadow_replies.adapter_version", "=", version)
        .where("shadow_replies.at", ">=", since)
        .where("exchanges.adapter_version", "=", liveVersion)
        .orderBy("shadow_replies.at")
        .execute();
      return rows.flatMap(({ toxicity, reward, version: scoredBy, reply_toxicity, reward_total, reward_version }) => {
        if (reply_toxicity === null || reward_total === null) return [];
        const rewardDifference = scoredBy === reward_version ? reward - reward_total : null;
        return [{ toxicity, liveToxicity: reply_toxicity, rewardDifference }];
      });
    },

    /**
     * Replies that were begun in a time and have ended, in the order in which they ended; those that were stopped by a
     * dying server or a full engine are no evidence about the adapter and left out.
     * @param period ISO dates: since is inclusive, until exclusive
     * @param newest return only so many, the last ones
     */
    async endedReplies(
      version: number,
      period: { since: string; until: string | null },
      newest?: number,
    ): Promise<LoggedReply[]> {
      let query = db
        .selectFrom("exchanges")
        .select(["id", "conversation_id", "completed_at", "status", "reply_toxicity", "reward_total", "reward_version"])
        .where("adapter_version", "=", version)
        .where("created_at", ">=", period.since)
        .where((eb) =>
          eb.or([
            eb("status", "=", "complete"),
            eb.and([eb("status", "=", "cut"), eb("failed_step", "=", "generation")]),
          ]),
        )
        .orderBy("completed_at", "desc")
        .orderBy("seq", "desc");
      if (period.until !== null) query = query.where("created_at", "<", period.until);
      if (newest !== undefined) query = query.limit(newest);
      const rows = await query.execute();
      return rows.reverse().map((row) => {
        const { reply_toxicity: toxicity, reward_total: reward, reward_version: rewardVersion } = row;
        const isJudged = toxicity !== null && reward !== null && rewardVersion !== null;
        return {
          exchangeId: row.id,
          conversationId: row.conversation_id,
          version,
          at: row.completed_at ?? "",
          failed: row.status === "cut",
          judgement: isJudged ? { toxicity, reward, rewardVersion } : null,
        };
      });
    },

    /** Annotations `toxic` and thumbs down on replies that were begun in a time. */
    async flags(version: number, period: { since: string; until: string | null }): Promise<Flag[]> {
      const { since, until } = period;
      const { rows } = await sql<{ flag: string; exchange_id: string; at: string; person: string }>`
        select cast(annotations.id as text) as flag, exchanges.id as exchange_id, completed_at as at, 'annotator:' || annotator as person
          from annotations join exchanges on exchanges.id = annotations.exchange_id
          where label = 'toxic' and adapter_version = ${version} and status = 'complete'
            and exchanges.created_at >= ${since} and (${until} is null or exchanges.created_at < ${until})
        union all
        select 'thumb:' || id, id, completed_at, 'chatter:' || owner
          from exchanges
          where feedback = -1 and adapter_version = ${version} and status = 'complete'
            and created_at >= ${since} and (${until} is null or created_at < ${until})
        order by at, exchange_id`.execute(db);
      return rows.map(({ flag, exchange_id, at, person }) => ({ id: flag, exchangeId: exchange_id, at, person }));
    },
  };
}

export type RolloutQueries = ReturnType<typeof createRolloutQueries>;
