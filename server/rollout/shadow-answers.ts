/**
 * Has the candidate in shadow answer again what the live adapter has answered, unseen and with what the engine has to
 * spare: one reply at a time, only while nobody waits, and given up at once when somebody does. What cannot be answered
 * in time is dropped and counted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine, GenerationResult } from "../../engine/types.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { isInShare } from "../adapters/sticky-share.ts";
import type { EndedReply } from "../chat/reply-generator.ts";
import type { Scorer } from "../chat/scorer.ts";
import type { RolloutQueries, ShadowPair } from "../store/rollout-queries.ts";

/** What became of an exchange that the shadow was to answer. */
export type ShadowOutcome = "stored" | "dropped" | "yielded" | "outdated" | "failed";

export interface ShadowAnswersOptions {
  registry: Pick<AdapterRegistry, "trial" | "live" | "acquire">;
  engine: Pick<Engine, "generate" | "stats">;
  scorer: Scorer;
  store: Pick<RolloutQueries, "putShadowReply">;
  /** Most generations that may be under way when a shadow reply begins. */
  maxActive: number;
  /** Most exchanges that wait for their shadow reply; one more and the oldest is dropped. */
  capacity: number;
  onStored: (version: number, pair: ShadowPair) => void;
  onOutcome: (outcome: ShadowOutcome) => void;
  onError: (error: unknown) => void;
  now: () => Date;
}

interface Task {
  reply: EndedReply & { outcome: NonNullable<EndedReply["outcome"]> };
  /** Adapter version that is to answer. */
  version: number;
  attempts: number;
}

const maxAttempts = 3;
/** How soon the engine is asked again whether it has time. */
const patienceMs = 25;

export function createShadowAnswers(options: ShadowAnswersOptions) {
  const { registry, engine, scorer, store, maxActive, capacity, onStored, onOutcome, onError, now } = options;
  const waiting: Task[] = [];
  const closing = new AbortController();
  let working: Promise<void> | null = null;

  const hasTime = ({ active, queued } = engine.stats()) => queued === 0 && active <= maxActive;

  async function generate(task: Task, sha256: string | null): Promise<GenerationResult> {
    const { request, sampling } = task.reply;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, closing.signal]);
    const steps = engine.generate(
      {
        promptTokens: request.prompt.promptTokens,
        adapter: sha256,
        sampling,
        maxTokens: request.maxTokens,
        stop: request.stop ?? [],
      },
      { signal },
    );
    for (;;) {
      const step = await steps.next();
      if (step.done) return step.value;
      if (engine.stats().queued > 0) abort.abort();
    }
  }

  async function answer(task: Task): Promise<ShadowOutcome | "again"> {
    const trial = registry.trial();
    const { exchangeId, request, outcome } = task.reply;
    if (trial?.stage !== "shadow" || trial.version !== task.version) return "outdated";
    const lease = await registry.acquire(trial);
    try {
      const { text, tokens, logProbs, finishReason } = await generate(task, lease.sha256);
      if (finishReason === "cancelled") {
        task.attempts += 1;
        return task.attempts < maxAttempts && !closing.signal.aborted ? "again" : "yielded";
      }
      if (finishReason === "error") return "failed";
      const { messages } = request.prompt;
      const { toxicity, reward } = await scorer.judge({ messages, reply: text, finishReason });
      await store.putShadowReply({
        exchangeId,
        adapterVersion: task.version,
        reply: text,
        replyTokens: tokens,
        logProbs,
        finishReason,
        toxicity: toxicity.reply,
        rewardVersion: reward.version,
        reward: reward.total,
        at: now().toISOString(),
      });
      const { toxicity: liveToxicity, reward: liveReward } = outcome;
      if (liveToxicity !== null) {
        const isComparable = reward.version === liveReward?.version;
        onStored(task.version, {
          toxicity: toxicity.reply,
          liveToxicity: liveToxicity.reply,
          rewardDifference: isComparable ? reward.total - liveReward.total : null,
        });
      }
      return "stored";
    } finally {
      lease.release();
    }
  }

  async function work(): Promise<void> {
    for (;;) {
      while (!hasTime() && !closing.signal.aborted) await sleep(patienceMs, undefined, { ref: false });
      const task = waiting.shift();
      if (task === undefined || closing.signal.aborted) return;
      const outcome = await answer(task).catch((error: unknown) => {
        onError(error);
        return "failed" as const;
      });
      if (outcome === "again") waiting.unshift(task);
      else onOutcome(outcome);
    }
  }

  function begin(): void {
    working ??= work().finally(() => {
      working = null;
      if (waiting.length > 0 && !closing.signal.aborted) begin();
    });
  }

  return {
    /** Takes an exchange that has ended, if there is a shadow and the exchange is one of its share with consent. */
    offer(reply: EndedReply): void {
      const { outcome, request, exchangeId, adapter } = reply;
      const trial = registry.trial();
      if (trial?.stage !== "shadow" || closing.signal.aborted) return;
      if (outcome === null || (outcome.finishReason !== "stop" && outcome.finishReason !== "length")) return;
      if (!request.consent || adapter.version !== registry.live().version) return;
      if (!isInShare(exchangeId, trial.version, trial.share)) return;
      waiting.push({ reply: { ...reply, outcome }, version: trial.version, attempts: 0 });
      if (waiting.length > capacity) {
        waiting.shift();
        onOutcome("dropped");
      }
      begin();
    },

    waiting: () => waiting.length,

    /** Gives up what is under way and what waits. */
    async close(): Promise<void> {
      closing.abort();
      await working;
    },
  };
}

export type ShadowAnswers = ReturnType<typeof createShadowAnswers>;
