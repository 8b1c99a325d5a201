/** From candidate to live: shadow, canary and the watcher, as the server uses them. */
import type { Engine } from "../../engine/types.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import type { EndedReply } from "../chat/reply-generator.ts";
import type { Scorer } from "../chat/scorer.ts";
import type { Metrics } from "../metrics.ts";
import type { FanOut, Store } from "../ports.ts";
import type { ServerStatus } from "../protocol/index.ts";
import type { LoggedReply } from "../store/rollout-queries.ts";
import { createLatestReplies } from "./latest-replies.ts";
import type { RolloutSettings } from "./settings.ts";
import { createShadowAnswers } from "./shadow-answers.ts";
import { createTrialFollower } from "./trial-follower.ts";
import { createWatcher } from "./watcher.ts";

export interface RolloutOptions {
  store: Store;
  registry: AdapterRegistry;
  engine: Engine;
  scorer: Scorer;
  fanOut: FanOut;
  metrics: Metrics;
  settings: RolloutSettings;
  /** Generations that the engine runs at once. */
  maxConcurrent: number;
  /** How often the watcher counts flags, in milliseconds. */
  watchEveryMs: number;
  onError: (error: unknown) => void;
  now?: () => Date;
}

/** Exchanges that wait for the shadow's reply. */
const shadowQueue = 64;

export interface Rollout {
  /** Call once for each reply that has ended. Costs microseconds; what takes longer happens later. */
  replyEnded(reply: EndedReply): void;
  trial(): ServerStatus["trial"];
  close(): Promise<void>;
}

function toLogged({ exchangeId, conversationId, adapter, outcome }: EndedReply, now: Date): LoggedReply {
  const { toxicity = null, reward = null } = outcome ?? {};
  return {
    exchangeId,
    conversationId,
    version: adapter.version,
    at: (outcome?.completedAt ?? now).toISOString(),
    failed: outcome === null,
    judgement:
      toxicity === null || reward === null
        ? null
        : { toxicity: toxicity.reply, reward: reward.total, rewardVersion: reward.version },
  };
}

/** Takes up what the log says about the adapters that serve. */
export async function createRollout(options: RolloutOptions): Promise<Rollout> {
  const { store, registry, engine, scorer, fanOut, metrics, settings, onError, now = () => new Date() } = options;
  const latest = createLatestReplies();
  const watcher = createWatcher({
    store,
    registry,
    latest,
    fanOut,
    settings: settings.watch,
    everyMs: options.watchEveryMs,
    now,
    onError,
  });
  const follower = createTrialFollower({
    store,
    registry,
    latest,
    settings,
    rewardVersion: scorer.version,
    onError,
  });
  const shadow = createShadowAnswers({
    registry,
    engine,
    scorer,
    store: store.rollout,
    maxActive: Math.floor(options.maxConcurrent / 2),
    capacity: shadowQueue,
    onStored: follower.shadowStored,
    onOutcome: metrics.shadowAnswered,
    onError,
    now,
  });
  await watcher.refresh();
  await follower.refresh();
  registry.onChange((deployments, mismatch) => {
    void watcher.deployed(deployments, mismatch);
    void follower.refresh();
  });
  metrics.watchRollout({ trial: registry.trial, chapters: watcher.chapters, shadowWaiting: shadow.waiting });

  return {
    replyEnded(reply) {
      shadow.offer(reply);
      // What failed elsewhere than in the generation says nothing about the adapter.
      if (reply.outcome === null && reply.failedStep !== "generation") return;
      const logged = toLogged(reply, now());
      latest.push(logged);
      watcher.replyEnded(logged);
      follower.replyEnded(logged);
    },

    trial() {
      const trial = registry.trial();
      return trial && { ...trial, comparison: follower.comparison() };
    },

    async close() {
      await shadow.close();
      await watcher.close();
    },
  };
}
