import { CheckpointError } from "../../engine/types.ts";
import type { Artifacts, Store } from "../ports.ts";
import { UnknownAdapterError } from "../ports.ts";
import type { AdapterIdentity, AdapterState, Verdict } from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import { type AdapterFolder, readAdapterFolder } from "./manifest.ts";

export interface NewAdapter {
  version: number;
  /** PEFT folder with rejoinder.json; copied into the artifact store. */
  folder: string;
  runId: string | null;
}

/** What is registered, with its files. Registered versions never change but for their state. */
export interface AdapterCatalog {
  /** Reads anew what is registered, also by other processes. */
  refresh(): Promise<void>;
  /** As last read; newest first. */
  all(): StoredAdapter[];
  /** As last read. @throws UnknownAdapterError */
  known(version: number): StoredAdapter;
  /** Looks again when it was not there at the last reading. @throws UnknownAdapterError */
  find(version: number): Promise<StoredAdapter>;
  /** Notes what has been written to the database. */
  note(version: number, change: { state: AdapterState } | { verdict: Verdict }): void;
  /**
   * The adapter's folder, its files as they were registered and made for this base.
   * @throws CheckpointError naming the file that was changed or is gone
   */
  verified(adapter: StoredAdapter): Promise<AdapterFolder>;
  /** Copies the folder in as a candidate. The same version from the same run again changes nothing. @throws CheckpointError */
  register(adapter: NewAdapter): Promise<StoredAdapter>;
}

export interface AdapterCatalogOptions {
  store: Store;
  artifacts: Artifacts;
  /** sha256 of the base model's weights. */
  baseSha256: string;
  now?: () => Date;
}

export function identityOf({ name, version, sha256 }: AdapterIdentity): AdapterIdentity {
  return { name, version, sha256 };
}

export async function openAdapterCatalog(options: AdapterCatalogOptions): Promise<AdapterCatalog> {
  const { store, artifacts, baseSha256, now = () => new Date() } = options;
  const adapters = new Map<number, StoredAdapter>();

  async function refresh(): Promise<void> {
    for (const adapter of await store.adapters.list()) adapters.set(adapter.version, adapter);
  }

  function known(version: number): StoredAdapter {
    const adapter = adapters.get(version);
    if (adapter === undefined) throw new UnknownAdapterError(`There is no adapter version ${version}`);
    return adapter;
  }

  await refresh();
  return {
    refresh,
    known,
    all: () => [...adapters.values()].sort((a, b) => b.version - a.version),

    async find(version) {
      if (!adapters.has(version)) await refresh();
      return known(version);
    },

    note(version, change) {
      adapters.set(version, { ...known(version), ...change });
    },

    async verified(adapter) {
      const folder = await readAdapterFolder(await artifacts.fetch(adapter.folder), baseSha256);
      const changed = (file: string, registered: string, found: string): never => {
        throw new CheckpointError(
          `${folder.folder}/${file} was changed: ${adapter.name}@${adapter.version} was registered with ` +
            `${registered}, the file has ${found}`,
        );
      };
      if (folder.sha256 !== adapter.sha256) {
        changed("adapter_model.safetensors", `sha256 ${adapter.sha256}`, folder.sha256);
      }
      const shape = ({ rank, alpha, targetModules }: Pick<StoredAdapter, "rank" | "alpha" | "targetModules">) =>
        `rank ${rank}, alpha ${alpha} and modules ${targetModules.join(", ")}`;
      if (shape(folder) !== shape(adapter)) changed("adapter_config.json", shape(adapter), shape(folder));
      return folder;
    },

    async register({ version, folder, runId }) {
      const read = await readAdapterFolder(folder, baseSha256);
      const earlier = await store.adapters.get(version);
      if (earlier !== null) {
        if (earlier.runId === runId && earlier.sha256 === read.sha256) return earlier;
        throw new Error(`Adapter version ${version} is taken by ${earlier.sha256}; versions never change`);
      }
      const key = `adapters/${version}`;
      // Left over from a process that died between copying and registering.
      if (await artifacts.has(key)) await artifacts.remove(key);
      await artifacts.put(key, folder);
      const parent = read.manifest.parent?.version ?? null;
      const adapter: StoredAdapter = {
        name: read.manifest.name ?? "rejoinder",
        version,
        sha256: read.sha256,
        state: "candidate",
        parent,
        runId,
        createdAt: now().toISOString(),
        rank: read.rank,
        alpha: read.alpha,
        targetModules: read.targetModules,
        metrics: Object.fromEntries(
          Object.entries(read.manifest.metrics).filter(([, value]) => Number.isFinite(value)),
        ),
        // What its parent learned from, it has learned from.
        erasedData: parent === null ? null : ((await store.adapters.get(parent))?.erasedData ?? null),
        folder: key,
        verdict: null,
      };
      await store.adapters.insert(adapter);
      adapters.set(version, adapter);
      return adapter;
    },
  };
}
