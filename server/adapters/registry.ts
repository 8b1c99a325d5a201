/**
 * Which adapter is live. A deployment stages the adapter on the engine, then publishes it in the database, and only then
 * becomes what `rejoinder` stands for; a failure on the way leaves everything as it was. Replies in flight hold a lease
 * on their version, as the registry does on the live one: who gives an adapter back last has it unloaded.
 */
import type { Engine } from "../../engine/types.ts";
import type { AdapterLease, AdapterSource, Artifacts, FanOut, Store } from "../ports.ts";
import { UnknownAdapterError } from "../ports.ts";
import type { AdapterIdentity, AdapterState, AdapterSummary, Deployment, Verdict } from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import { identityOf, type NewAdapter, openAdapterCatalog } from "./catalog.ts";
import { previouslyLive } from "./deployment-history.ts";
import { DeploymentRefusedError } from "./errors.ts";
import { maxProbeDifference, probeAdapter } from "./probe.ts";
import { createResidency } from "./residency.ts";

export interface AdapterRegistryOptions {
  store: Store;
  artifacts: Artifacts;
  engine: Pick<Engine, "model" | "loadAdapter" | "unloadAdapter" | "score">;
  fanOut: FanOut;
  now?: () => Date;
  /** Told of an adapter that could not be unloaded or probed; neither stops the server. */
  onError?: (error: unknown) => void;
}

export interface AdapterRegistry extends AdapterSource {
  /** What a model name stands for: `rejoinder` (live), `rejoinder@N` or `base`. @throws UnknownAdapterError */
  resolve(modelName: string): AdapterIdentity;
  /** @throws UnknownAdapterError, CheckpointError when its files were changed or are gone */
  acquire(identity: AdapterIdentity): Promise<AdapterLease>;
  /** Newest first. */
  list(): Promise<AdapterSummary[]>;
  /** Newest first. */
  deployments(): Promise<Deployment[]>;
  /** The next free version number. */
  nextVersion(): Promise<number>;
  /** Copies the folder in as a candidate. The same version from the same run again changes nothing. @throws CheckpointError */
  register(adapter: NewAdapter): Promise<AdapterSummary>;
  /** Bars a candidate from serving. */
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
   * Makes a version live; 0 is the base model. One that has never served needs a passing verdict, unless `force` says
   * that whoever gives the reason knows better.
   * @throws DeploymentRefusedError, UnknownAdapterError, CheckpointError
   */
  promote(version: number, actor: string, reason: string, options?: { force?: boolean }): Promise<Deployment>;
  /** Back to what was live before. @throws as promote */
  rollback(actor: string, reason: string): Promise<Deployment>;
  /** Resolves when no load or unload is under way. */
  settled(): Promise<void>;
}

/** Why an adapter may not go live without being forced; null when it may. One that has served before has been through. */
function ungatedReason({ version, state, verdict }: StoredAdapter): DeploymentRefusedError | null {
  if (state === "rejected") {
    const why = verdict === null || verdict.passed ? "" : `: ${verdict.summary}`;
    return new DeploymentRefusedError("adapter_rejected", `Adapter version ${version} was rejected${why}`);
  }
  if (state !== "candidate" || verdict?.passed === true) return null;
  if (verdict === null) {
    return new DeploymentRefusedError("not_gated", `Adapter version ${version} has not been through the gate`);
  }
  return new DeploymentRefusedError("adapter_rejected", `Adapter version ${version} did not pass: ${verdict.summary}`);
}

function toSummary({ folder: _, ...summary }: StoredAdapter): AdapterSummary {
  return summary;
}

/** Stages the live adapter. @throws CheckpointError when its files were changed or do not fit the base */
export async function createAdapterRegistry(options: AdapterRegistryOptions): Promise<AdapterRegistry> {
  const { store, artifacts, engine, fanOut, now = () => new Date(), onError = () => undefined } = options;
  const catalog = await openAdapterCatalog({ store, artifacts, baseSha256: engine.model.sha256, now });
  const base: AdapterIdentity = { name: "base", version: 0, sha256: engine.model.sha256 };
  const residency = createResidency(engine, onError);
  let deploying: Promise<unknown> = Promise.resolve();

  async function acquire(identity: AdapterIdentity): Promise<AdapterLease> {
    if (identity.version === 0) return { identity: base, sha256: null, release: () => undefined };
    const adapter = await catalog.find(identity.version);
    const release = await residency.take(adapter.sha256, async () => (await catalog.verified(adapter)).folder);
    return { identity: identityOf(adapter), sha256: adapter.sha256, release };
  }

  function resolve(modelName: string): AdapterIdentity {
    if (modelName === "rejoinder") return live.identity;
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

  /** The difference, and how large it may be for the precisions of training and serving. */
  async function measure(version: number): Promise<{ difference: number; limit: number } | null> {
    const adapter = await catalog.find(version);
    const { manifest } = await catalog.verified(adapter);
    if (manifest.probe === undefined) return null;
    const limit = maxProbeDifference(manifest.baseModel.quantization, engine.model.quantization);
    const lease = await acquire(adapter);
    try {
      return { difference: await probeAdapter(engine, adapter.sha256, manifest.probe), limit };
    } finally {
      lease.release();
    }
  }

  const probe = async (version: number) => (await measure(version))?.difference ?? null;

  /** After a swap: does the engine serve what was trained? The swap stands either way; operators are told. */
  async function attest({ name, version }: AdapterIdentity): Promise<void> {
    if (version === 0) return;
    const alert = (code: string, what: string) => {
      fanOut.ops("alert", { at: now().toISOString(), code, message: `${name}@${version}: ${what}` });
    };
    try {
      const measured = await measure(version);
      if (measured === null || measured.difference <= measured.limit) return;
      const mean = measured.difference.toFixed(4);
      alert(
        "adapter_probe_mismatch",
        `served log-probs differ from the trainer's by ${mean} nats on average, more than ${measured.limit}`,
      );
    } catch (error) {
      onError(error);
      alert("adapter_probe_failed", error instanceof Error ? error.message : String(error));
    }
  }

  async function deploy(
    action: "promote" | "rollback",
    target: AdapterIdentity,
    actor: string,
    reason: string,
  ): Promise<Deployment> {
    const from = live.identity;
    if (target.version === from.version) {
      throw new DeploymentRefusedError("already_live", `Adapter version ${target.version} is live already`);
    }
    const staged = await acquire(target);
    const states: { version: number; state: AdapterState }[] = [];
    if (from.version !== 0) states.push({ version: from.version, state: "retired" });
    if (target.version !== 0) states.push({ version: target.version, state: "live" });
    let deployment: Deployment;
    try {
      const at = now().toISOString();
      deployment = await store.adapters.deploy({ at, actor, action, from, to: staged.identity, reason }, states);
    } catch (cause) {
      staged.release();
      throw new Error(`Adapter version ${target.version} was not made live: the database refused it`, { cause });
    }
    for (const { version, state } of states) catalog.note(version, { state });
    const before = live;
    live = staged;
    before.release();
    fanOut.chat("adapter", staged.identity);
    fanOut.ops("deployment", deployment);
    await attest(staged.identity);
    return deployment;
  }

  /** Deployments happen one after the other. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = deploying.then(work);
    deploying = result.catch(() => undefined);
    return result;
  }

  let live: AdapterLease = await acquire(catalog.all().find((adapter) => adapter.state === "live") ?? base);

  return {
    live: () => ({ ...live.identity, state: live.identity.version === 0 ? "base" : "live" }),
    versions: () =>
      catalog
        .all()
        .filter((adapter) => adapter.state !== "rejected")
        .map(identityOf),
    resolve,
    acquire,
    probe,
    measureProbe: measure,
    find: async (version) => toSummary(await catalog.find(version)),
    folderOf: async (version) => (await catalog.verified(await catalog.find(version))).folder,
    nextVersion: () => store.adapters.nextVersion(),
    deployments: () => store.adapters.deployments(),
    settled: () => residency.settled(),
    register: async (adapter) => toSummary(await catalog.register(adapter)),

    async lease(modelName) {
      try {
        return await acquire(resolve(modelName));
      } catch (error) {
        if (!(error instanceof UnknownAdapterError)) throw error;
        await catalog.refresh();
        return acquire(resolve(modelName));
      }
    },

    async list() {
      await catalog.refresh();
      return catalog.all().map(toSummary);
    },

    reject: (version, actor, reason) =>
      inTurn(async () => {
        const adapter = await catalog.find(version);
        if (version === live.identity.version) {
          throw new DeploymentRefusedError("already_live", `Adapter version ${version} is live; roll back first`);
        }
        const deployment = await store.adapters.deploy(
          {
            at: now().toISOString(),
            actor,
            action: "reject",
            from: live.identity,
            to: identityOf(adapter),
            reason,
          },
          [{ version, state: "rejected" }],
        );
        catalog.note(version, { state: "rejected" });
        fanOut.ops("deployment", deployment);
        return deployment;
      }),

    async setVerdict(version, verdict) {
      await catalog.find(version);
      await store.adapters.setVerdict(version, verdict);
      catalog.note(version, { verdict });
    },

    promote: (version, actor, reason, { force = false } = {}) =>
      inTurn(async () => {
        if (version === 0) return deploy("promote", base, actor, reason);
        const adapter = await catalog.find(version);
        // What is live already is told so first.
        const refusal = version === live.identity.version ? null : ungatedReason(adapter);
        if (refusal !== null && !force) throw refusal;
        return deploy("promote", identityOf(adapter), actor, refusal === null ? reason : `forced: ${reason}`);
      }),

    rollback: (actor, reason) =>
      inTurn(async () => {
        const target = previouslyLive((await store.adapters.deployments()).reverse());
        if (target === null) {
          throw new DeploymentRefusedError("nothing_to_roll_back_to", "Nothing was live before the live adapter");
        }
        return deploy("rollback", target, actor, reason);
      }),
  };
}
