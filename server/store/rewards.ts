import { type Kysely, sql } from "kysely";
import type { ExchangeRecord } from "../../trainer/contract.ts";
import type { ReplyToxicity } from "../protocol/index.ts";
import type { StoredExchange } from "./exchange-mapping.ts";
import type { ExchangeRepository } from "./exchanges.ts";
import type { Database } from "./schema.ts";

export interface StoredScore {
  toxicity: ReplyToxicity;
  reward: ExchangeRecord["reward"];
}

/** A score of an earlier reward version. */
export interface EarlierReward {
  version: string;
  total: number;
  terms: Record<string, number>;
  /** Null where the score had none. */
  toxicity: ReplyToxicity | null;
  replacedAt: string;
}

/** What exchanges were and are worth under each version of the reward. */
export function createRewardRepository(db: Kysely<Database>, exchanges: ExchangeRepository) {
  return {
    /** Complete exchanges scored under this version, and all complete exchanges. */
    async countOf(version: string): Promise<{ scored: number; total: number }> {
      return db
        .selectFrom("exchanges")
        .select(sql<number>`coalesce(sum(reward_version is ${version}), 0)`.as("scored"))
        .select((eb) => eb.fn.countAll<number>().as("total"))
        .where("status", "=", "complete")
        .executeTakeFirstOrThrow();
    },

    /** Complete exchanges with a score of another version or none, oldest first, from a place in the log on. */
    async notUnder(
      version: string,
      after: number,
      limit: number,
    ): Promise<{ exchanges: StoredExchange[]; last: number | null }> {
      const rows = await db
        .selectFrom("exchanges")
        .selectAll()
        .where("status", "=", "complete")
        .where(sql<boolean>`reward_version is not ${version}`)
        .where("seq", ">", after)
        .orderBy("seq")
        .limit(limit)
        .execute();
      return { exchanges: await exchanges.withAnnotations(rows), last: rows.at(-1)?.seq ?? null };
    },

    /**
     * Puts a score in the place of the exchange's present one, which is kept. An exchange that is gone, or was scored
     * anew by someone else meanwhile, is left alone.
     */
    async replace({ id, reward, toxicity }: StoredExchange, score: StoredScore, at: Date): Promise<void> {
      await db.transaction().execute(async (transaction) => {
        const { numUpdatedRows } = await transaction
          .updateTable("exchanges")
          .set({
            prompt_toxicity: score.toxicity.prompt,
            reply_toxicity: score.toxicity.reply,
            toxicity_attributes: JSON.stringify(score.toxicity.attributes),
            reward_version: score.reward.version,
            reward_total: score.reward.total,
            reward_terms: JSON.stringify(score.reward.terms),
          })
          .where("id", "=", id)
          .where("status", "=", "complete")
          .where(sql<boolean>`reward_version is ${reward?.version ?? null}`)
          .executeTakeFirst();
        if (numUpdatedRows === 0n || reward === null) return;
        const earlier = {
          total: reward.total,
          terms: JSON.stringify(reward.terms),
          prompt_toxicity: toxicity?.prompt ?? null,
          reply_toxicity: toxicity?.reply ?? null,
          toxicity_attributes: toxicity === null ? null : JSON.stringify(toxicity.attributes),
          replaced_at: at.toISOString(),
        };
        await transaction
          .insertInto("exchange_rewards")
          .values({ exchange_id: id, version: reward.version, ...earlier })
          // Back and forth between two versions: the same version gives the same score.
          .onConflict((conflict) => conflict.columns(["exchange_id", "version"]).doUpdateSet(earlier))
          .execute();
      });
    },

    /** Oldest first; the present score is not among them. */
    async earlierOf(exchangeId: string): Promise<EarlierReward[]> {
      const query = db.selectFrom("exchange_rewards").selectAll().where("exchange_id", "=", exchangeId);
      return (await query.orderBy("replaced_at").execute()).map((row) => ({
        version: row.version,
        total: row.total,
        terms: JSON.parse(row.terms),
        toxicity:
          row.prompt_toxicity === null || row.reply_toxicity === null
            ? null
            : {
                prompt: row.prompt_toxicity,
                reply: row.reply_toxicity,
                attributes: row.toxicity_attributes === null ? {} : JSON.parse(row.toxicity_attributes),
              },
        replacedAt: row.replaced_at,
      }));
    },
  };
}

export type RewardRepository = ReturnType<typeof createRewardRepository>;
