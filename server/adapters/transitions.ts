/**
 * The ways from one deployment to the next. Each stages the adapter on the engine, writes states and log in one
 * transaction, and only then changes what is served; a failure on the way leaves everything as it was.
 */
import type { AdapterLease, FanOut, Store } from "../ports.ts";
import type { AdapterIdentity, Deployment, TrialStage } from "../protocol/index.ts";
import type { AdapterStateChange, NewDeployment } from "../store/adapters.ts";
import type { Attestation } from "./attestation.ts";
import { type AdapterCatalog, identityOf } from "./catalog.ts";
import type { LoggedTrial } from "./deployment-history.ts";
import { DeploymentRefusedError } from "./errors.ts";

/** What answers now; kept in memory, so that routing a reply asks nobody. */
export interface Serving {
  live: AdapterLease;
  trial: (LoggedTrial & { lease: AdapterLease }) | null;
}

/** Who changes something, and why. */
export interface Motive {
  actor: string;
  reason: string;
}

/** Told after every change. `mismatch` says how the adapter that was staged differs from the trained one, if it does. */
export type DeploymentListener = (deployments: readonly Deployment[], mismatch: string | null) => void;

export interface TransitionsOptions {
  store: Store;
  catalog: AdapterCatalog;
  serving: Serving;
  acquire(identity: AdapterIdentity): Promise<AdapterLease>;
  attest: Attestation["attest"];
  fanOut: FanOut;
  now: () => Date;
  changed: DeploymentListener;
}

export function createTransitions(options: TransitionsOptions) {
  const { store, catalog, serving, acquire, attest, fanOut, now, changed } = options;

  type Entry = Pick<NewDeployment, "action" | "from" | "to" | "share">;

  async function write({ actor, reason }: Motive, entries: Entry[], states: AdapterStateChange[]) {
    const at = now().toISOString();
    const deployments = await store.adapters.deploy(
      entries.map((entry) => ({ at, actor, reason, ...entry })),
      states,
    );
    for (const { version, state } of states) catalog.note(version, { state });
    return deployments;
  }

  /** @returns the entry that says what was done */
  async function announce(deployments: Deployment[], staged: AdapterIdentity | null): Promise<Deployment> {
    for (const deployment of deployments) fanOut.ops("deployment", deployment);
    const mismatch = staged === null ? null : await attest(staged);
    changed(deployments, mismatch);
    const [deployment] = deployments;
    if (deployment === undefined) throw new Error("A deployment was written without an entry in the log");
    return deployment;
  }

  function assertNotLive({ version }: AdapterIdentity): void {
    if (version === serving.live.identity.version) {
      throw new DeploymentRefusedError("already_live", `Adapter version ${version} is live already`);
    }
  }

  function forgetTrial(version: number): void {
    if (serving.trial?.version !== version) return;
    serving.trial.lease.release();
    serving.trial = null;
  }

  return {
    /** @param bar whether what was live is rejected, so that nothing goes back to it */
    async goLive(action: "promote" | "rollback", target: AdapterIdentity, motive: Motive, bar = false) {
      const from = serving.live.identity;
      assertNotLive(target);
      const staged = await acquire(target);
      const entries: Entry[] = [{ action, from, to: staged.identity }];
      const states: AdapterStateChange[] = [];
      if (from.version !== 0) states.push({ version: from.version, state: bar ? "rejected" : "retired" });
      if (bar) entries.push({ action: "reject", from: staged.identity, to: from });
      if (target.version !== 0) states.push({ version: target.version, state: "live" });
      let deployments: Deployment[];
      try {
        deployments = await write(motive, entries, states);
      } catch (cause) {
        staged.release();
        throw new Error(`Adapter version ${target.version} was not made live: the database refused it`, { cause });
      }
      const before = serving.live;
      serving.live = staged;
      before.release();
      forgetTrial(target.version);
      fanOut.chat("adapter", staged.identity);
      return announce(deployments, staged.identity);
    },

    /** Puts a version on trial, or moves the one that is to another stage or share. */
    async stage(stage: TrialStage, target: AdapterIdentity, share: number, motive: Motive): Promise<Deployment> {
      const { version } = target;
      const { trial } = serving;
      if (version === 0) {
        throw new DeploymentRefusedError("base_is_no_candidate", "The base model cannot be on trial, only live");
      }
      assertNotLive(target);
      if (trial !== null && trial.version !== version) {
        throw new DeploymentRefusedError(
          "trial_under_way",
          `Adapter version ${trial.version} is in ${trial.stage}; promote it or roll it back first`,
        );
      }
      if (trial?.stage === stage && trial.share === share) {
        throw new DeploymentRefusedError("already_on_trial", `Adapter version ${version} is in ${stage} already`);
      }
      const lease = await acquire(target);
      const entries: Entry[] = [{ action: stage, from: serving.live.identity, to: target, share }];
      let deployments: Deployment[];
      try {
        deployments = await write(motive, entries, [{ version, state: stage }]);
      } catch (cause) {
        lease.release();
        throw new Error(`Adapter version ${version} was not put in ${stage}: the database refused it`, { cause });
      }
      const [begun] = deployments;
      if (begun === undefined) throw new Error("A trial was written without an entry in the log");
      trial?.lease.release();
      serving.trial = { ...target, stage, share, since: begun.at, salt: trial?.salt ?? begun.id, lease };
      return announce(deployments, target);
    },

    /** Takes a version that is not live away: for good (`reject`), or until somebody promotes it again (`retire`). */
    async remove(action: "retire" | "reject", target: AdapterIdentity, motive: Motive): Promise<Deployment> {
      const from = serving.live.identity;
      if (target.version === from.version) {
        throw new DeploymentRefusedError("already_live", `Adapter version ${target.version} is live; roll back first`);
      }
      const state = action === "reject" ? "rejected" : "retired";
      const deployments = await write(
        motive,
        [{ action, from, to: identityOf(target) }],
        [{ version: target.version, state }],
      );
      forgetTrial(target.version);
      return announce(deployments, null);
    },
  };
}

export type Transitions = ReturnType<typeof createTransitions>;
