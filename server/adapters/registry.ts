/**
 * Which adapter answers whom: the live one, or the candidate on trial for a share of conversations. Replies in flight
 * hold a lease on their version, as the registry does on what it serves: who gives an adapter back last has it unloaded.
 */
import type { Engine } from "../../engine/types.ts";
import type { AdapterLease, AdapterSource, Artifacts, FanOut, Store } from "../ports.ts";
import { UnknownAdapterError } from "../ports.ts";
import type { AdapterIdentity, AdapterSummary, Deployment, Trial, Verdict } from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import { createAttestation } from "./attestation.ts";
import { identityOf, type NewAdapter, openAdapterCatalog } from "./catalog.ts";
import { createDeploymentCommands, type DeploymentCommands, type Destination, live } from "./deployment-commands.ts";
import { currentTrial } from "./deployment-history.ts";
import { createResidency } from "./residency.ts";
import { isInShare } from "./sticky-share.ts";
import { createTransitions, type DeploymentListener, type Serving } from "./transitions.ts";

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

export interface AdapterRegistry extends AdapterSource, DeploymentCommands {
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
  /** Tells of every change from now on. */
  onChange(listener: DeploymentListener): void;
  /** Resolves when no load or unload is under way. */
  settled(): Promise<void>;
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
  const commands = createDeploymentCommands({
    store,
    catalog,
    serving,
    transitions,
    base,
    admitTo,
    fanOut,
    now,
    onError,
  });

  const logged = currentTrial((await store.adapters.deployments()).reverse());
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

    async setVerdict(version, verdict) {
      await catalog.find(version);
      await store.adapters.setVerdict(version, verdict);
      catalog.note(version, { verdict });
    },

    ...commands,
  };
}
