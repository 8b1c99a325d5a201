import type { Kysely } from "kysely";
import { type AdapterRepository, createAdapterRepository } from "./adapters.ts";
import { type AnnotationRepository, createAnnotationRepository } from "./annotations.ts";
import { openDatabase } from "./database.ts";
import { createErasureRepository, type ErasureRepository } from "./erasures.ts";
import { createExchangeQueries, type ExchangeQueries } from "./exchange-queries.ts";
import { createExchangeRepository, type ExchangeRepository } from "./exchanges.ts";
import { createLineageRepository, type LineageRepository } from "./lineage.ts";
import { createRewardRepository, type RewardRepository } from "./rewards.ts";
import { createRolloutQueries, type RolloutQueries } from "./rollout-queries.ts";
import { createRunRepository, type RunRepository } from "./runs.ts";
import type { Database } from "./schema.ts";

/** Everything the server keeps, by subject. `db` is for drivers that own tables of their own (the job queue). */
export interface Store {
  db: Kysely<Database>;
  exchanges: ExchangeRepository;
  exchangeQueries: ExchangeQueries;
  annotations: AnnotationRepository;
  adapters: AdapterRepository;
  runs: RunRepository;
  lineage: LineageRepository;
  rewards: RewardRepository;
  erasures: ErasureRepository;
  rollout: RolloutQueries;
  /** Which store this is: a random name given when it was made. */
  installation(): Promise<string>;
  close(): Promise<void>;
}

/**
 * @param file SQLite file, made when absent; ":memory:" for a store that lasts as long as the process
 * @param onFailure called once should the database's thread end by itself: from then on every query fails
 */
export async function openStore(file: string, onFailure?: (cause: Error) => void): Promise<Store> {
  const { db, close } = await openDatabase(file, onFailure);
  const exchanges = createExchangeRepository(db);
  return {
    db,
    exchanges,
    exchangeQueries: createExchangeQueries(db, exchanges),
    annotations: createAnnotationRepository(db),
    adapters: createAdapterRepository(db),
    runs: createRunRepository(db),
    lineage: createLineageRepository(db),
    rewards: createRewardRepository(db, exchanges),
    erasures: createErasureRepository(db),
    rollout: createRolloutQueries(db),
    installation: async () => (await db.selectFrom("installation").select("id").executeTakeFirstOrThrow()).id,
    close,
  };
}
