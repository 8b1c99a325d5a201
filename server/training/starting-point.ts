import { ancestorsOf, runsBehind } from "../lineage/ancestry.ts";
import type { AdapterIdentity } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import type { Store } from "../store/index.ts";

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

/**
 * @param live the live adapter; version 0 is the base model
 * @throws RequestError `unknown_adapter` for a version that is unknown or rejected, `nothing_erased` when a clean start is asked for and the live adapter is clean
 */
export async function startingPoint(
  store: Store,
  live: AdapterIdentity,
  from: "live" | "clean" | "base" | number,
): Promise<StartingPoint> {
  const adapters = await store.adapters.list();
  if (from === "live") {
    const parent = live.version === 0 ? null : identityOf(live);
    return { parent, usedBy: runsBehind(adapters, live.version) };
  }
  if (from === "base") return { parent: null, usedBy: [] };
  if (from !== "clean") {
    const parent = adapters.find(({ version }) => version === from);
    if (parent === undefined || parent.state === "rejected") {
      const why = parent === undefined ? "is not known" : "was rejected";
      throw new RequestError(409, "unknown_adapter", `Adapter version ${from} ${why}; no run can go on from it.`);
    }
    return { parent: identityOf(parent), usedBy: runsBehind(adapters, from) };
  }
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
