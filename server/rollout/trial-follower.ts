/** Follows the candidate on trial: compares it with the live adapter, moves it on when it is not worse, ends it when it is. */

import { livePeriods } from "../adapters/deployment-history.ts";
import { DeploymentRefusedError } from "../adapters/errors.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import type { Store } from "../ports.ts";
import type { DeploymentStage, Trial, TrialComparison } from "../protocol/index.ts";
import type { LoggedReply, ShadowPair } from "../store/rollout-queries.ts";
import { createCanaryComparison, createShadowComparison, judgeTrial } from "./comparison.ts";
import type { LatestReplies } from "./latest-replies.ts";
import type { RolloutSettings } from "./settings.ts";

/** Intervals cost some milliseconds, so that they are looked at every so many replies. */
const looksEvery = 10;

export interface TrialFollowerOptions {
  store: Store;
  registry: AdapterRegistry;
  latest: LatestReplies;
  settings: RolloutSettings;
  rewardVersion: string;
  onError: (error: unknown) => void;
}

interface Followed {
  key: string;
  trial: Trial;
  canary: ReturnType<typeof createCanaryComparison>;
  shadow: ReturnType<typeof createShadowComparison>;
  isNew: (reply: LoggedReply) => boolean;
}

export type TrialFollower = ReturnType<typeof createTrialFollower>;

export function createTrialFollower(options: TrialFollowerOptions) {
  const { store, registry, latest, settings, rewardVersion, onError } = options;
  let followed: Followed | null = null;
  let acting = false;
  let turn: Promise<void> = Promise.resolve();

  /** Reads what is logged of the present trial; does nothing when it is the one that is followed. */
  async function read(): Promise<void> {
    const trial = registry.trial();
    if (trial === null) {
      followed = null;
      return;
    }
    const live = livePeriods((await registry.deployments()).reverse()).at(-1);
    // What another adapter said while it was live is nothing to compare with.
    const since = live !== undefined && live.since > trial.since ? live.since : trial.since;
    const key = [trial.version, trial.stage, since].join();
    if (followed?.key === key) {
      followed.trial = trial;
      return;
    }
    const planned = 2 * settings.trial.minReplies[trial.stage];
    const canary = createCanaryComparison(planned, rewardVersion);
    const shadow = createShadowComparison(planned);
    let isNew: Followed["isNew"] = () => true;
    if (trial.stage === "shadow") {
      const pairs = await store.rollout.shadowPairs(trial.version, registry.live().version, since);
      for (const pair of pairs) shadow.add(pair);
    } else {
      const versions = [registry.live().version, trial.version];
      const logged = await Promise.all(
        versions.map((version) => store.rollout.endedReplies(version, { since, until: null })),
      );
      const parts = logged.map((part, index) =>
        latest.complete(part, ({ version, at }) => version === versions[index] && at >= since),
      );
      for (const reply of parts.flatMap(({ all }) => all)) addTo(canary, trial, reply);
      isNew = (reply) => parts.every((part) => part.isNew(reply));
    }
    followed = { key, trial, canary, shadow, isNew };
  }

  /** Only what the draw decided is compared: a conversation that asked for a version by its number is no fair sample. */
  function addTo(canary: Followed["canary"], trial: Trial, reply: LoggedReply): void {
    const isDrawn = registry.isInCanary(reply.conversationId);
    if (isDrawn && reply.version === trial.version) canary.add("candidate", reply);
    if (!isDrawn && reply.version === registry.live().version) canary.add("live", reply);
  }

  async function move({ version, stage }: Trial, comparison: TrialComparison): Promise<void> {
    const finding = judgeTrial(stage, comparison, settings.trial);
    if (finding === null) return;
    const { verdict, reason } = finding;
    if (verdict === "worse") {
      await registry.reject(version, "rollout", reason);
    } else if (settings.trial.advances) {
      const next: DeploymentStage = stage === "shadow" ? "canary" : "live";
      if (verdict === "not_worse") {
        await registry.advance(version, "rollout", reason, { stage: next, share: settings.shares[next] });
      } else {
        await registry.retire(version, "rollout", reason);
      }
    }
  }

  function look({ trial, canary, shadow }: Followed): void {
    const comparison = trial.stage === "canary" ? canary : shadow;
    if (acting || comparison.replies % looksEvery !== 0) return;
    acting = true;
    move(trial, comparison.compare())
      .catch((error: unknown) => {
        // Somebody else was faster.
        if (!(error instanceof DeploymentRefusedError)) onError(error);
      })
      .finally(() => {
        acting = false;
      });
  }

  return {
    /** Call at the start and after every deployment. */
    refresh(): Promise<void> {
      turn = turn.then(read).catch(onError);
      return turn;
    },

    replyEnded(reply: LoggedReply): void {
      if (followed?.trial.stage !== "canary" || !followed.isNew(reply)) return;
      const before = followed.canary.replies;
      addTo(followed.canary, followed.trial, reply);
      if (followed.canary.replies > before) look(followed);
    },

    shadowStored(version: number, pair: ShadowPair): void {
      if (followed?.trial.stage !== "shadow" || followed.trial.version !== version) return;
      followed.shadow.add(pair);
      look(followed);
    },

    comparison(): TrialComparison {
      const nothing = { replies: 0, liveReplies: 0, toxicity: null, reward: null };
      if (followed === null) return nothing;
      return (followed.trial.stage === "canary" ? followed.canary : followed.shadow).compare();
    },
  };
}
