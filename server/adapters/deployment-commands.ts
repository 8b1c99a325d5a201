/** What operators, runs and the watcher may do with an adapter, one deployment after the other. */
import { CheckpointError } from "../../engine/types.ts";
import type { FanOut, Store } from "../ports.ts";
import type { AdapterIdentity, Deployment, DeploymentStage } from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import { type AdapterCatalog, identityOf } from "./catalog.ts";
import { liveBefore } from "./deployment-history.ts";
import { DeploymentRefusedError } from "./errors.ts";
import type { Serving, Transitions } from "./transitions.ts";

/** Where a version goes, and with what share (0..1) of the traffic when that is not `live`. */
export interface Destination {
  stage: DeploymentStage;
  share: number;
}

/** Default: live. */
export interface Promotion extends Partial<Destination> {
  force?: boolean;
}

export const live: Destination = { stage: "live", share: 1 };

export interface DeploymentCommands {
  /** Bars a version that is not live from serving; ends its trial. */
  reject(version: number, actor: string, reason: string): Promise<Deployment>;
  /**
   * Makes a version live (0 is the base model), or puts it on trial. One that has never served needs a passing verdict,
   * unless `force` says that whoever gives the reason knows better.
   * @throws DeploymentRefusedError, UnknownAdapterError, CheckpointError
   */
  promote(version: number, actor: string, reason: string, to?: Promotion): Promise<Deployment>;
  /**
   * Puts a candidate where candidates go once their gate is passed. Null when it is beyond that already, or has to wait,
   * which operators are told: for the end of another one's trial, or to be compared with what went live meanwhile.
   * @throws as promote
   */
  admit(version: number, actor: string, reason: string): Promise<Deployment | null>;
  /** As `promote`, if the version is still on trial. @throws DeploymentRefusedError `not_on_trial` when it is not */
  advance(version: number, actor: string, reason: string, to: Destination): Promise<Deployment>;
  /** Ends a version's trial; it may be promoted again. @throws DeploymentRefusedError `not_on_trial` */
  retire(version: number, actor: string, reason: string): Promise<Deployment>;
  /** Ends the trial if there is one, else goes back to what was live before. @throws as promote */
  rollback(actor: string, reason: string): Promise<Deployment>;
  /**
   * Takes the live version away. `before`: goes back to the nearest version that was live and whose files are sound, and
   * rejects this one. `base`: goes to the base model, and retires this one.
   * @throws DeploymentRefusedError when the base model is live, or another version than the one meant
   */
  revoke(version: number, to: "before" | "base", actor: string, reason: string): Promise<Deployment>;
}

export interface DeploymentCommandOptions {
  store: Store;
  catalog: AdapterCatalog;
  serving: Serving;
  transitions: Transitions;
  base: AdapterIdentity;
  /** Where candidates that passed their gate go. */
  admitTo: Destination;
  fanOut: FanOut;
  now: () => Date;
  /** Told of a version that could not be gone back to. */
  onError: (error: unknown) => void;
}

/**
 * Why an adapter may not serve without being forced; null when it may: when it was compared with what is live now and
 * passed, or has been live before and not failed since, as the one that the server began with.
 */
async function ungatedReason(
  { version, state, verdict }: StoredAdapter,
  liveVersion: number,
  hasBeenLive: (version: number) => Promise<boolean>,
): Promise<DeploymentRefusedError | null> {
  if (state === "rejected") {
    const why = verdict === null || verdict.passed ? "" : `: ${verdict.summary}`;
    return new DeploymentRefusedError("adapter_rejected", `Adapter version ${version} was rejected${why}`);
  }
  if (verdict?.passed === false) {
    return new DeploymentRefusedError(
      "adapter_rejected",
      `Adapter version ${version} did not pass: ${verdict.summary}`,
    );
  }
  const compared = verdict === null ? null : (verdict.baseline?.version ?? 0);
  if (compared === liveVersion || (await hasBeenLive(version))) return null;
  if (compared === null) {
    return new DeploymentRefusedError("not_gated", `Adapter version ${version} has not been through the gate`);
  }
  const message = `Adapter version ${version} was compared with version ${compared}, and ${liveVersion} is live now: send it through the gate again`;
  return new DeploymentRefusedError("verdict_outdated", message);
}

export function createDeploymentCommands(options: DeploymentCommandOptions): DeploymentCommands {
  const { store, catalog, serving, transitions, base, admitTo, fanOut, now, onError } = options;
  let deploying: Promise<unknown> = Promise.resolve();

  /** Oldest first. */
  const log = async () => (await store.adapters.deployments()).reverse();
  const hasBeenLive = async (version: number) =>
    (await log()).some(({ action, to }) => action === "promote" && to.version === version);
  const mayServe = ({ version }: AdapterIdentity) => version === 0 || catalog.known(version).state !== "rejected";
  const find = async (version: number) => (version === 0 ? base : identityOf(await catalog.find(version)));

  /** Deployments happen one after the other. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = deploying.then(work);
    deploying = result.catch(() => undefined);
    return result;
  }

  function trialOf(version: number): AdapterIdentity {
    if (serving.trial?.version === version) return serving.trial;
    throw new DeploymentRefusedError("not_on_trial", `Adapter version ${version} is not on trial`);
  }

  const refusalOf = (adapter: StoredAdapter) => ungatedReason(adapter, serving.live.identity.version, hasBeenLive);

  async function whyToWait(adapter: StoredAdapter): Promise<string | null> {
    const { trial } = serving;
    if (admitTo.stage !== "live" && trial !== null) return `version ${trial.version} is in ${trial.stage}`;
    return (await refusalOf(adapter))?.message ?? null;
  }

  async function put(version: number, { stage, share }: Destination, actor: string, reason: string) {
    const target = await find(version);
    const motive = { actor, reason };
    if (stage === "live") return transitions.goLive("promote", target, motive);
    return transitions.stage(stage, target, share, motive);
  }

  return {
    reject: (version, actor, reason) =>
      inTurn(async () => transitions.remove("reject", await catalog.find(version), { actor, reason })),

    promote: (version, actor, reason, { force = false, ...to } = {}) =>
      inTurn(async () => {
        const adapter = version === 0 ? null : await catalog.find(version);
        // What is live already is told so first.
        const isNew = adapter !== null && version !== serving.live.identity.version;
        const refusal = isNew ? await refusalOf(adapter) : null;
        if (refusal !== null && !force) throw refusal;
        return put(version, { ...live, ...to }, actor, refusal === null ? reason : `forced: ${reason}`);
      }),

    advance: (version, actor, reason, to) =>
      inTurn(async () => {
        trialOf(version);
        return put(version, to, actor, reason);
      }),

    retire: (version, actor, reason) =>
      inTurn(async () => transitions.remove("retire", trialOf(version), { actor, reason })),

    admit: (version, actor, reason) =>
      inTurn(async () => {
        const adapter = await catalog.find(version);
        if (adapter.state !== "candidate") return null;
        const why = await whyToWait(adapter);
        if (why === null) return put(version, admitTo, actor, reason);
        const message = `${adapter.name}@${version} passed its checks and waits as a candidate: ${why}`;
        fanOut.ops("alert", { at: now().toISOString(), code: "candidate_waits", message });
        return null;
      }),

    rollback: (actor, reason) =>
      inTurn(async () => {
        const motive = { actor, reason };
        if (serving.trial !== null) return transitions.remove("retire", serving.trial, motive);
        const [target] = liveBefore(await log(), mayServe);
        if (target === undefined) {
          throw new DeploymentRefusedError("nothing_to_roll_back_to", "Nothing was live before the live adapter");
        }
        return transitions.goLive("rollback", target, motive);
      }),

    revoke: (version, to, actor, reason) =>
      inTurn(async () => {
        const motive = { actor, reason };
        if (serving.live.identity.version !== version || version === 0) {
          throw new DeploymentRefusedError("nothing_to_roll_back_to", `Adapter version ${version} is not live`);
        }
        if (to === "base") return transitions.goLive("rollback", base, motive);
        const targets = liveBefore(await log(), mayServe).filter((adapter) => adapter.version !== 0);
        for (const target of targets) {
          try {
            return await transitions.goLive("rollback", target, motive, true);
          } catch (error) {
            if (!(error instanceof CheckpointError)) throw error;
            onError(error);
          }
        }
        return transitions.goLive("rollback", base, motive, true);
      }),
  };
}
