/** The sample that an adapter's manifest carries is a logged exchange, token by token. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Artifacts, Store } from "../ports.ts";
import type { StoredAdapter } from "../store/adapters.ts";

const manifestFile = "rejoinder.json";

async function readManifest(artifacts: Artifacts, adapter: StoredAdapter): Promise<Record<string, unknown> | null> {
  try {
    return JSON.parse(await readFile(join(await artifacts.fetch(adapter.folder), manifestFile), "utf8"));
  } catch {
    // Gone or damaged: whatever it held, nobody can read it as a sample.
    return null;
  }
}

/** Versions of the adapters, made by these runs, whose sample is one of the exchanges that the run was given. */
export async function probesAmong(
  store: Store,
  artifacts: Artifacts,
  uses: ReadonlyMap<string, readonly string[]>,
): Promise<number[]> {
  const found: number[] = [];
  for (const adapter of await store.adapters.list()) {
    const exchangeIds = adapter.runId === null ? undefined : uses.get(adapter.runId);
    if (exchangeIds === undefined) continue;
    const probe = (await readManifest(artifacts, adapter))?.probe as { tokens?: unknown } | undefined;
    if (probe === undefined) continue;
    const sample = JSON.stringify(probe.tokens);
    for (const { promptTokens, replyTokens } of await store.exchanges.getMany(exchangeIds)) {
      if (JSON.stringify([...promptTokens, ...replyTokens]) !== sample) continue;
      found.push(adapter.version);
      break;
    }
  }
  return found;
}

/** Takes the samples out of these adapters' manifests; the weights, by which an adapter is known, stay as they are. */
export async function removeProbes(store: Store, artifacts: Artifacts, versions: readonly number[]): Promise<void> {
  for (const version of versions) {
    const adapter = await store.adapters.get(version);
    const manifest = adapter === null ? null : await readManifest(artifacts, adapter);
    if (adapter === null || manifest === null || manifest.probe === undefined) continue;
    const { probe: _, ...rest } = manifest;
    await artifacts.amend(adapter.folder, manifestFile, `${JSON.stringify(rest, null, 2)}\n`);
  }
}
