import { ancestorsOf, runsBehind } from "../lineage/ancestry.ts";
import type { AdapterIdentity } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import type { Store } from "../store/index.ts";
import type { StartRun } from "./requests.ts";

/** What a run goes on from. */
export interface StartingPoint {
  /** Null: a new adapter on the base model. */
  parent: AdapterIdentity | null;
  /** Runs whose exchanges the parent has learned from. */
  usedBy: string[];
  /** Nothing but these exchanges; undefined: whatever the log offers. */
  only?: ReadonlySet<string>;
}

function identityOf({ name, version, sha256 }: AdapterIdentity): AdapterIdentity {
  return { name, version, sha256 };
}

/** @throws RequestError `unknown_adapter` when there is no such version or it was rejected */
function atVersion(adapters: readonly StoredAdapter[], version: number): StartingPoint {
  if (version === 0) return { parent: null, usedBy: [] };
  const adapter = adapters.find((candidate) => candidate.version === version);
  if (adapter === undefined || adapter.state === "rejected") {
    const why = adapter === undefined ? "there is none" : "it was rejected";
    throw new RequestError(404, "unknown_adapter", `Cannot continue from adapter version ${version}: ${why}.`);
  }
  return { parent: identityOf(adapter), usedBy: runsBehind(adapters, version) };
}

/**
 * @param live the live adapter; version 0 is the base model
 * @throws RequestError `nothing_erased` when a clean start is asked for and the live adapter is clean, `unknown_adapter`
 */
export async function startingPoint(
  store: Store,
  live: AdapterIdentity,
  from: StartRun["from"],
): Promise<StartingPoint> {
  const adapters = await store.adapters.list();
  if (from !== "clean") return atVersion(adapters, from === "live" ? live.version : from === "base" ? 0 : from);
  const self = adapters.filter(({ version }) => version === live.version);
  const line: StoredAdapter[] = [...self, ...ancestorsOf(adapters, live.version)];
  const touched = line.filter(({ erasedData }) => erasedData !== null);
  if (touched.length === 0) {
    throw new RequestError(409, "nothing_erased", "The live adapter was not trained on anything that has been erased.");
  }
  const clean = line.find(({ erasedData }) => erasedData === null) ?? null;
  return {
    parent: clean === null ? null : identityOf(clean),
    usedBy: clean === null ? [] : runsBehind(adapters, clean.version),
    only: new Set(await store.lineage.exchangeIdsOf(touched.flatMap(({ runId }) => runId ?? []))),
  };
}
