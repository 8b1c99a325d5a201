/**
 * History under the present reward. Each score that is replaced is kept with its version. Every slice is written as it is
 * scored, so that whoever stops and starts again goes on with what is left, and nothing is scored twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Scorer } from "../chat/scorer.ts";
import type { StoredExchange } from "../store/exchange-mapping.ts";
import type { Store } from "../store/index.ts";

/** Scored at once; between slices the chats have their turn. */
const exchangesPerSlice = 16;
const pauseMs = 1;

export interface RescoreProgress {
  /** Complete exchanges scored under this version, and all complete exchanges. */
  scored: number;
  total: number;
}

export interface RescoreOptions {
  store: Store;
  scorer: Pick<Scorer, "version" | "judge">;
  signal?: AbortSignal;
  onProgress?: (progress: RescoreProgress) => void | Promise<void>;
  now?: () => Date;
}

export interface RescoreResult extends RescoreProgress {
  /** Exchanges that the reward could not judge; they stay as they were. */
  failed: { id: string; message: string }[];
}

/** @throws what the signal was aborted with; what was scored until then stays */
export async function rescore(options: RescoreOptions): Promise<RescoreResult> {
  const { store, scorer, signal, onProgress = () => undefined, now = () => new Date() } = options;
  const failed: RescoreResult["failed"] = [];

  async function scoreOne(exchange: StoredExchange): Promise<void> {
    const { id, messages, reply, finishReason } = exchange;
    try {
      const judgement = await scorer.judge({ messages, reply, finishReason: finishReason ?? "stop" });
      await store.rewards.replace(exchange, judgement, now());
    } catch (error) {
      failed.push({ id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  for (let after = 0; ; ) {
    signal?.throwIfAborted();
    const { exchanges, last } = await store.rewards.notUnder(scorer.version, after, exchangesPerSlice);
    if (last === null) break;
    for (const exchange of exchanges) await scoreOne(exchange);
    after = last;
    await onProgress(await store.rewards.countOf(scorer.version));
    await sleep(pauseMs);
  }
  return { ...(await store.rewards.countOf(scorer.version)), failed };
}
