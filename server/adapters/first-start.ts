import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../ports.ts";
import type { AdapterRegistry } from "./registry.ts";

export interface FirstStartOptions {
  store: Store;
  registry: AdapterRegistry;
  /** `<checkpoint>/adapters`: one PEFT folder a version number. May be absent. */
  shippedFolder: string;
  /** The ADAPTER setting: a folder, a version number or `base`; undefined takes the newest shipped one. */
  adapter: string | undefined;
}

async function shippedVersions(folder: string): Promise<number[]> {
  if (!existsSync(folder)) return [];
  const names = await readdir(folder);
  return names
    .filter((name) => /^[1-9]\d{0,8}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * Fills an empty registry: the adapters that come with the checkpoint under their own numbers, then whatever ADAPTER
 * names, which goes live. Does nothing once anything has been deployed, so a restart keeps what was learned.
 * @returns false when the registry was in use already
 * @throws when ADAPTER names nothing, or CheckpointError for a folder that does not fit
 */
export async function deployInitialAdapter(options: FirstStartOptions): Promise<boolean> {
  const { store, registry, shippedFolder, adapter } = options;
  if ((await registry.deployments()).length > 0) return false;
  const shipped = await shippedVersions(shippedFolder);
  for (const version of shipped) {
    await registry.register({ version, folder: join(shippedFolder, String(version)), runId: null });
  }
  const version = await initialVersion();
  if (version === registry.live().version) {
    // Nothing to swap, but the log begins with what was live first.
    const { name, sha256 } = registry.live();
    const at = new Date().toISOString();
    const to = { name, version, sha256 };
    await store.adapters.deploy([{ at, actor: "setup", action: "promote", from: null, to, reason: "first start" }], []);
  } else {
    // Whoever set up the server chose it; there is nothing live yet to compare it with.
    await registry.promote(version, "setup", "first start", { force: true });
  }
  return true;

  async function initialVersion(): Promise<number> {
    if (adapter === undefined) return shipped.at(-1) ?? 0;
    if (adapter === "base") return 0;
    if (/^\d+$/.test(adapter)) {
      const known = shipped.join(", ") || "none";
      if (Number(adapter) === 0 || shipped.includes(Number(adapter))) return Number(adapter);
      throw new Error(`ADAPTER=${adapter}: the model comes with no adapter of this number (it has: ${known})`);
    }
    if (!existsSync(adapter)) {
      throw new Error(`ADAPTER=${adapter}: expected "base", a version number or an adapter folder that exists`);
    }
    const next = await registry.nextVersion();
    return (await registry.register({ version: next, folder: adapter, runId: null })).version;
  }
}
