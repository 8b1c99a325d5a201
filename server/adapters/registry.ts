/**
 * Which adapter answers whom: the live one, or the candidate on trial for a share of conversations. Replies in flight
 * hold a lease on their version, as the registry does on what it serves: who gives an adapter back last has it unloaded.
 */
import { CheckpointError, type Engine } from "../../engine/types.ts";
import type { AdapterLease, AdapterSource, Artifacts, FanOut, Store } from "../ports.ts";
import { UnknownAdapterError } from "../ports.ts";
import type {
  AdapterIdentity,
  AdapterSummary,
  Deployment,
  DeploymentStage,
  Trial,
  Verdict,
} from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import { createAttestation } from "./attestation.ts";
import { identityOf, type NewAdapter, openAdapterCatalog } from "./catalog.ts";
import { currentTrial, liveBefore } from "./deployment-history.ts";
import { DeploymentRefusedError } from "./errors.ts";
import { createResidency } from "./residency.ts";
import { isInShare } from "./sticky-share.ts";
import { createTransitions, type DeploymentListener, type Serving } from "./transitions.ts";

/** Where a version goes, and with what share (0..1) of the traffic when that is not `live`. */
export interface Destination {
  stage: DeploymentStage;
  share: number;
}

/** Default: live. */
export interface Promotion extends Partial<Destination> {
  force?: boolean;
}

const live: Destination = { stage: "live", share: 1 };

export interface AdapterRegistryOptions {
  store: Store;
  artifacts: Artifacts;
  engine: Pick<Engine, "model" | "loadAdapter" | "unloadAdapter" | "score">;
  fanOut: FanOut;
  /** Where candidates that passed their gate go. Default: live. */
  admitTo?: Destination;
  now?: () => Date;
  /** Told of an adapter that could not be unloaded or probed; neither stops the server. */
  onError?: (error: unknown) => void;
}

export interface AdapterRegistry extends AdapterSource {
  /**
   * What a model name stands for: `rejoinder` (live, or the canary for its conversations), `rejoinder@N` or `base`.
   * @throws UnknownAdapterError
   */
  resolve(modelName: string, conversationId?: string): AdapterIdentity;
  /** @throws UnknownAdapterError, CheckpointError when its files were changed or are gone */
  acquire(identity: AdapterIdentity): Promise<AdapterLease>;
  /** The candidate in shadow or canary. */
  trial(): Trial | null;
  /** Whether a conversation is one of the canary's. False without a canary. */
  isInCanary(conversationId: string): boolean;
  /** Newest first. */
  list(): Promise<AdapterSummary[]>;
  /** Newest first. */
  deployments(): Promise<Deployment[]>;
  /** The next free version number. */
  nextVersion(): Promise<number>;
  /** Copies the folder in as a candidate. The same version from the same run again changes nothing. @throws CheckpointError */
  register(adapter: NewAdapter): Promise<AdapterSummary>;
  /** Bars a version that is not live from serving; ends its trial. */
  reject(version: number, actor: string, reason: string): Promise<Deployment>;
  /** As registered. @throws UnknownAdapterError */
  find(version: number): Promise<AdapterSummary>;
  /** Its PEFT folder, the files as they were registered. @throws UnknownAdapterError, CheckpointError */
  folderOf(version: number): Promise<string>;
  /** What `probe` gives, with what is tolerated for the precisions of training and serving; null without a sample. */
  measureProbe(version: number): Promise<{ difference: number; limit: number } | null>;
  /** Mean |served - trained| log-prob (nats) on the sample stored with the adapter; null when it has none. */
  probe(version: number): Promise<number | null>;
  /** Writes down what the gate said; a verdict never changes what serves. @throws UnknownAdapterError */
  setVerdict(version: number, verdict: Verdict): Promise<void>;
  /**
   * Makes a version live (0 is the base model), or puts it on trial. One that has never served needs a passing verdict,
   * unless `force` says that whoever gives the reason knows better.
   * @throws DeploymentRefusedError, UnknownAdapterError, CheckpointError
   */
  promote(version: number, actor: string, reason: string, to?: Promotion): Promise<Deployment>;
  /**
   * Puts a candidate where candidates go once their gate is passed. Null when it is beyond that already, or has to wait
   * for the end of another one's trial, which operators are told. @throws as promote
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
  /** Tells of every change from now on. */
  onChange(listener: DeploymentListener): void;
  /** Resolves when no load or unload is under way. */
  settled(): Promise<void>;
}

/**
 * Why an adapter may not go live without being forced; null when it may. One without a verdict may that was live before,
 * as the one that the server began with.
 */
async function ungatedReason(
  { version, state, verdict }: StoredAdapter,
  hasBeenLive: (version: number) => Promise<boolean>,
): Promise<DeploymentRefusedError | null> {
  if (state === "rejected") {
    const why = verdict === null || verdict.passed ? "" : `: ${verdict.summary}`;
    return new DeploymentRefusedError("adapter_rejected", `Adapter version ${version} was rejected${why}`);
  }
  if (verdict?.passed === true || (verdict === null && (await hasBeenLive(version)))) return null;
  if (verdict === null) {
    return new DeploymentRefusedError("not_gated", `Adapter version ${version} has not been through the gate`);
  }
  return new DeploymentRefusedError("adapter_rejected", `Adapter version ${version} did not pass: ${verdict.summary}`);
}

function toSummary({ folder: _, ...summary }: StoredAdapter): AdapterSummary {
  return summary;
}

/** Stages the live adapter and the one on trial. @throws CheckpointError when the live one's files are not sound */
export async function createAdapterRegistry(options: AdapterRegistryOptions): Promise<AdapterRegistry> {
  const { store, artifacts, engine, fanOut, admitTo = live } = options;
  const { now = () => new Date(), onError = () => undefined } = options;
  const catalog = await openAdapterCatalog({ store, artifacts, baseSha256: engine.model.sha256, now });
  const base: AdapterIdentity = { name: "base", version: 0, sha256: engine.model.sha256 };
  const residency = createResidency(engine, onError);
  const listeners: DeploymentListener[] = [];
  let deploying: Promise<unknown> = Promise.resolve();

  async function acquire(identity: AdapterIdentity): Promise<AdapterLease> {
    if (identity.version === 0) return { identity: base, sha256: null, release: () => undefined };
    const adapter = await catalog.find(identity.version);
    const release = await residency.take(adapter.sha256, async () => (await catalog.verified(adapter)).folder);
    return { identity: identityOf(adapter), sha256: adapter.sha256, release };
  }

  const serving: Serving = {
    live: await acquire(catalog.all().find((adapter) => adapter.state === "live") ?? base),
    trial: null,
  };
  const { measure, attest } = createAttestation({ catalog, engine, acquire, fanOut, now, onError });
  const changed: DeploymentListener = (deployments, mismatch) => {
    for (const listener of listeners) listener(deployments, mismatch);
  };
  const transitions = createTransitions({ store, catalog, serving, acquire, attest, fanOut, now, changed });

  /** Oldest first. */
  const log = async () => (await store.adapters.deployments()).reverse();
  const hasBeenLive = async (version: number) =>
    (await log()).some(({ action, to }) => action === "promote" && to.version === version);
  const mayServe = ({ version }: AdapterIdentity) => version === 0 || catalog.known(version).state !== "rejected";
  const find = async (version: number) => (version === 0 ? base : identityOf(await catalog.find(version)));

  const logged = currentTrial(await log());
  if (logged !== null) {
    try {
      serving.trial = { ...logged, lease: await acquire(logged) };
    } catch (error) {
      // A candidate whose files are gone or changed keeps nobody from chatting with the live adapter.
      onError(error);
      const reason = `could not be staged at the start: ${error instanceof Error ? error.message : String(error)}`;
      await transitions.remove("retire", logged, { actor: "server", reason });
    }
  }

  function isInCanary(conversationId: string): boolean {
    const { trial } = serving;
    return trial?.stage === "canary" && isInShare(conversationId, trial.salt, trial.share);
  }

  function resolve(modelName: string, conversationId?: string): AdapterIdentity {
    if (modelName === "rejoinder") {
      const { trial } = serving;
      if (trial !== null && conversationId !== undefined && isInCanary(conversationId)) return trial.lease.identity;
      return serving.live.identity;
    }
    if (modelName === "base") return base;
    const version = /^rejoinder@(\d{1,9})$/.exec(modelName)?.[1];
    if (version === undefined) {
      throw new UnknownAdapterError(`Expected "rejoinder", "rejoinder@N" or "base", got "${modelName.slice(0, 80)}"`);
    }
    if (Number(version) === 0) return base;
    const adapter = catalog.known(Number(version));
    if (adapter.state === "rejected") {
      throw new UnknownAdapterError(`Adapter version ${version} was rejected and does not serve`);
    }
    return identityOf(adapter);
  }

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

  async function put(version: number, { stage, share }: Destination, actor: string, reason: string) {
    const target = await find(version);
    const motive = { actor, reason };
    if (stage === "live") return transitions.goLive("promote", target, motive);
    return transitions.stage(stage, target, share, motive);
  }

  return {
    live: () => ({ ...serving.live.identity, state: serving.live.identity.version === 0 ? "base" : "live" }),
    versions: () =>
      catalog
        .all()
        .filter((adapter) => adapter.state !== "rejected")
        .map(identityOf),
    resolve,
    acquire,
    isInCanary,
    probe: async (version) => (await measure(version))?.difference ?? null,
    measureProbe: measure,
    find: async (version) => toSummary(await catalog.find(version)),
    folderOf: async (version) => (await catalog.verified(await catalog.find(version))).folder,
    nextVersion: () => store.adapters.nextVersion(),
    deployments: () => store.adapters.deployments(),
    settled: () => residency.settled(),
    register: async (adapter) => toSummary(await catalog.register(adapter)),
    onChange: (listener) => void listeners.push(listener),

    trial() {
      if (serving.trial === null) return null;
      const { lease: _, salt: __, ...trial } = serving.trial;
      return trial;
    },

    async lease(modelName, conversationId) {
      try {
        return await acquire(resolve(modelName, conversationId));
      } catch (error) {
        if (!(error instanceof UnknownAdapterError)) throw error;
        await catalog.refresh();
        return acquire(resolve(modelName, conversationId));
      }
    },

    async list() {
      await catalog.refresh();
      return catalog.all().map(toSummary);
    },

    reject: (version, actor, reason) =>
      inTurn(async () => transitions.remove("reject", await catalog.find(version), { actor, reason })),

    async setVerdict(version, verdict) {
      await catalog.find(version);
      await store.adapters.setVerdict(version, verdict);
      catalog.note(version, { verdict });
    },

    promote: (version, actor, reason, { force = false, ...to } = {}) =>
      inTurn(async () => {
        const adapter = version === 0 ? null : await catalog.find(version);
        // What is live already is told so first.
        const isNew = adapter !== null && version !== serving.live.identity.version;
        const refusal = isNew ? await ungatedReason(adapter, hasBeenLive) : null;
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
        const { name, state } = await catalog.find(version);
        if (state !== "candidate") return null;
        if (admitTo.stage !== "live" && serving.trial !== null) {
          const { stage, version: other } = serving.trial;
          const message = `${name}@${version} passed its checks and waits as a candidate: version ${other} is in ${stage}`;
          fanOut.ops("alert", { at: now().toISOString(), code: "candidate_waits", message });
          return null;
        }
        return put(version, admitTo, actor, reason);
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
