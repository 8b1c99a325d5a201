/**
 * Adapters by number, and which of them is live. Versions never change once registered. A deployment stages the adapter
 * on the engine, then publishes it in the database, and only then becomes what `rejoinder` stands for; a failure on the
 * way leaves everything as it was. Replies in flight hold a lease on their version, as the registry does on the live one.
 */
import { CheckpointError, type Engine } from "../../engine/types.ts";
import type { AdapterLease, AdapterSource, Artifacts, FanOut, Store } from "../ports.ts";
import { UnknownAdapterError } from "../ports.ts";
import type { AdapterIdentity, AdapterState, AdapterSummary, Deployment } from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import { previouslyLive } from "./deployment-history.ts";
import { DeploymentRefusedError } from "./errors.ts";
import { type AdapterFolder, readAdapterFolder } from "./manifest.ts";
import { maxProbeDifference, probeAdapter } from "./probe.ts";
import { createResidency } from "./residency.ts";

export interface AdapterRegistryOptions {
  store: Store;
  engine: Pick<Engine, "model" | "loadAdapter" | "unloadAdapter" | "score">;
  artifacts: Artifacts;
  fanOut: FanOut;
  now?: () => Date;
  /** Told of an adapter that could not be unloaded or probed; neither stops the server. */
  onError?: (error: unknown) => void;
}

export interface NewAdapter {
  version: number;
  /** PEFT folder with rejoinder.json; copied into the artifact store. */
  folder: string;
  runId: string | null;
  /** Added to the metrics of rejoinder.json. */
  metrics?: Record<string, number>;
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
  /** Mean |served - trained| log-prob (nats) on the sample stored with the adapter; null when it has none. */
  probe(version: number): Promise<number | null>;
  /** Makes a version live; 0 is the base model. @throws DeploymentRefusedError, UnknownAdapterError, CheckpointError */
  promote(version: number, actor: string, reason: string): Promise<Deployment>;
  /** Back to what was live before. @throws as promote */
  rollback(actor: string, reason: string): Promise<Deployment>;
  /** Resolves when no load or unload is under way. */
  settled(): Promise<void>;
}

function identityOf({ name, version, sha256 }: AdapterIdentity): AdapterIdentity {
  return { name, version, sha256 };
}

function toSummary({ folder: _, ...summary }: StoredAdapter): AdapterSummary {
  return summary;
}

/** Reads what is registered and stages the live adapter. @throws CheckpointError when its files were changed. */
export async function createAdapterRegistry(options: AdapterRegistryOptions): Promise<AdapterRegistry> {
  const { store, engine, artifacts, fanOut, now = () => new Date(), onError = () => undefined } = options;
  const base: AdapterIdentity = { name: "base", version: 0, sha256: engine.model.sha256 };
  const residency = createResidency(engine, onError);
  const adapters = new Map<number, StoredAdapter>();
  let deploying: Promise<unknown> = Promise.resolve();

  async function refresh(): Promise<void> {
    for (const adapter of await store.adapters.list()) adapters.set(adapter.version, adapter);
  }

  function known(version: number): StoredAdapter {
    const adapter = adapters.get(version);
    if (adapter === undefined) throw new UnknownAdapterError(`There is no adapter version ${version}`);
    return adapter;
  }

  /** Also finds what another process (the command line) has registered meanwhile. */
  async function find(version: number): Promise<StoredAdapter> {
    if (!adapters.has(version)) await refresh();
    return known(version);
  }

  /** The adapter's folder, with the files as they were registered and made for this base. */
  async function verified(adapter: StoredAdapter): Promise<AdapterFolder> {
    const folder = await readAdapterFolder(await artifacts.fetch(adapter.folder), base.sha256);
    if (folder.sha256 !== adapter.sha256) {
      throw new CheckpointError(
        `${folder.folder}/adapter_model.safetensors was changed: ${adapter.name}@${adapter.version} was registered ` +
          `with sha256 ${adapter.sha256}, the file has ${folder.sha256}`,
      );
    }
    return folder;
  }

  async function acquire(identity: AdapterIdentity): Promise<AdapterLease> {
    if (identity.version === 0) return { identity: base, sha256: null, release: () => undefined };
    const adapter = await find(identity.version);
    const release = await residency.take(adapter.sha256, async () => (await verified(adapter)).folder);
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
    const adapter = known(Number(version));
    if (adapter.state === "rejected") {
      throw new UnknownAdapterError(`Adapter version ${version} was rejected and does not serve`);
    }
    return identityOf(adapter);
  }

  async function liveInStore(): Promise<AdapterIdentity> {
    return [...adapters.values()].find((adapter) => adapter.state === "live") ?? base;
  }

  async function loadProbe(adapter: StoredAdapter): Promise<number | null> {
    const { manifest } = await verified(adapter);
    if (manifest.probe === undefined) return null;
    const lease = await acquire(adapter);
    try {
      return await probeAdapter(engine, adapter.sha256, manifest.probe);
    } finally {
      lease.release();
    }
  }

  /** After a swap: does the engine serve what was trained? The swap stands either way; people are told. */
  async function attest(identity: AdapterIdentity): Promise<void> {
    if (identity.version === 0) return;
    try {
      const difference = await loadProbe(known(identity.version));
      if (difference === null || difference <= maxProbeDifference) return;
      fanOut.ops("alert", {
        at: now().toISOString(),
        code: "adapter_probe_mismatch",
        message:
          `${identity.name}@${identity.version}: served log-probs differ from the trainer's by ` +
          `${difference.toFixed(4)} nats on average, more than ${maxProbeDifference}`,
      });
    } catch (error) {
      onError(error);
      const cause = error instanceof Error ? error.message : String(error);
      fanOut.ops("alert", {
        at: now().toISOString(),
        code: "adapter_probe_failed",
        message: `${identity.name}@${identity.version} could not be probed after going live: ${cause}`,
      });
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
    if (target.version !== 0 && (await find(target.version)).state === "rejected") {
      throw new DeploymentRefusedError("adapter_rejected", `Adapter version ${target.version} was rejected`);
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
    for (const { version, state } of states) adapters.set(version, { ...known(version), state });
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

  await refresh();
  let live: AdapterLease = await acquire(await liveInStore());

  return {
    live: () => ({ ...live.identity, state: live.identity.version === 0 ? "base" : "live" }),
    versions: () => [...adapters.values()].filter((adapter) => adapter.state !== "rejected").map(identityOf),
    resolve,
    acquire,
    nextVersion: () => store.adapters.nextVersion(),
    deployments: () => store.adapters.deployments(),
    settled: () => residency.settled(),

    async lease(modelName) {
      try {
        return await acquire(resolve(modelName));
      } catch (error) {
        if (!(error instanceof UnknownAdapterError)) throw error;
        await refresh();
        return acquire(resolve(modelName));
      }
    },

    async list() {
      await refresh();
      return (await store.adapters.list()).map(toSummary);
    },

    async register({ version, folder, runId, metrics }) {
      const read = await readAdapterFolder(folder, base.sha256);
      const earlier = await store.adapters.get(version);
      if (earlier !== null) {
        if (earlier.runId === runId && earlier.sha256 === read.sha256) return toSummary(earlier);
        throw new Error(`Adapter version ${version} is taken by ${earlier.sha256}; versions never change`);
      }
      const key = `adapters/${version}`;
      // Left over from a process that died between copying and registering.
      if (await artifacts.has(key)) await artifacts.remove(key);
      await artifacts.put(key, folder);
      const adapter: StoredAdapter = {
        name: read.manifest.name ?? "rejoinder",
        version,
        sha256: read.sha256,
        state: "candidate",
        parent: read.manifest.parent?.version ?? null,
        runId,
        createdAt: now().toISOString(),
        rank: read.rank,
        alpha: read.alpha,
        targetModules: read.targetModules,
        metrics: { ...read.manifest.metrics, ...metrics },
        folder: key,
      };
      await store.adapters.insert(adapter);
      adapters.set(version, adapter);
      return toSummary(adapter);
    },

    reject: (version, actor, reason) =>
      inTurn(async () => {
        const adapter = await find(version);
        if (version === live.identity.version) {
          throw new DeploymentRefusedError("already_live", `Adapter version ${version} is live; roll back first`);
        }
        const at = now().toISOString();
        const deployment = await store.adapters.deploy(
          { at, actor, action: "reject", from: live.identity, to: identityOf(adapter), reason },
          [{ version, state: "rejected" }],
        );
        adapters.set(version, { ...adapter, state: "rejected" });
        fanOut.ops("deployment", deployment);
        return deployment;
      }),

    probe: async (version) => loadProbe(await find(version)),

    promote: (version, actor, reason) =>
      inTurn(async () => deploy("promote", version === 0 ? base : identityOf(await find(version)), actor, reason)),

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
