/** Training runs for the tests of the server. */
import type { Store } from "../ports.ts";
import type { StoredRun } from "../store/runs.ts";

/** Writes a run down as if it had succeeded, but for what `change` says. */
export async function insertRun(store: Store, id: string, change: Partial<StoredRun> = {}): Promise<StoredRun> {
  const run: StoredRun = {
    id,
    algorithm: "ppo",
    state: "succeeded",
    trigger: "api",
    createdAt: "2026-03-01T12:00:00.000Z",
    startedAt: "2026-03-01T12:00:01.000Z",
    finishedAt: "2026-03-01T12:10:00.000Z",
    parent: null,
    result: null,
    exchanges: 0,
    step: 0,
    steps: 0,
    metrics: {},
    error: null,
    version: null,
    settings: { algorithm: "ppo" },
    ...change,
  };
  await store.runs.insert(run);
  return run;
}

/** Registers an adapter that this run made; its files are not there. */
export async function insertAdapter(
  store: Store,
  version: number,
  change: { parent?: number; runId?: string; state?: "candidate" | "live" | "retired" } = {},
): Promise<void> {
  await store.adapters.insert({
    name: "rejoinder",
    version,
    sha256: String(version).repeat(64).slice(0, 64),
    state: change.state ?? "retired",
    parent: change.parent ?? null,
    runId: change.runId ?? null,
    createdAt: "2026-03-01T12:10:00.000Z",
    rank: 2,
    alpha: 4,
    targetModules: ["q_proj"],
    metrics: {},
    erasedData: null,
    verdict: null,
    folder: `adapters/${version}`,
  });
}
