import type {
  AdapterIdentity,
  AdapterLineage,
  AdapterSummary,
  ConsentChange,
  ExchangeLineage,
  ExchangeUse,
} from "../protocol/index.ts";
import type { StoredAdapter } from "../store/adapters.ts";
import type { Store } from "../store/index.ts";
import type { StoredRun } from "../store/runs.ts";
import { ancestorsOf, descendantsOf } from "./ancestry.ts";

const identityOf = ({ name, version, sha256 }: AdapterIdentity): AdapterIdentity => ({ name, version, sha256 });

function toSummary({ folder: _, ...summary }: StoredAdapter): AdapterSummary {
  return summary;
}

async function describeUse(store: Store, exchangeId: string, use: { runId: string; takenAt: string; reward: number }) {
  const run = await store.runs.get(use.runId);
  if (run === null) throw new Error(`Exchange ${exchangeId} was given to the run ${use.runId}, which is not on record`);
  const steps = await store.lineage.stepsOf(run.id, exchangeId);
  const known = steps.length > 0 || (await store.lineage.hasSteps(run.id));
  const { algorithm, state, result } = run;
  return { ...use, algorithm, state, steps: known ? steps : null, result };
}

/** Adapters that these runs made, and all that descend from them, oldest first. */
export function adaptersAfter(adapters: readonly StoredAdapter[], runIds: ReadonlySet<string>) {
  const made = adapters.filter(({ runId }) => runId !== null && runIds.has(runId));
  const direct = new Set(made.map(({ version }) => version));
  const all = new Map(made.map((adapter) => [adapter.version, adapter]));
  for (const { version } of made) {
    for (const descendant of descendantsOf(adapters, version)) all.set(descendant.version, descendant);
  }
  return [...all.values()]
    .sort((a, b) => a.version - b.version)
    .map((adapter) => ({ adapter, direct: direct.has(adapter.version) }));
}

/** From a reply to the steps that it trained and the adapters that came of it; null when there is no such exchange. */
export async function exchangeLineage(store: Store, exchangeId: string): Promise<ExchangeLineage | null> {
  const exchange = await store.exchanges.get(exchangeId);
  if (exchange === null) return null;
  const uses: ExchangeUse[] = [];
  for (const { runId, takenAt, reward } of await store.lineage.usesOf(exchangeId)) {
    uses.push(await describeUse(store, exchangeId, { runId, takenAt, reward }));
  }
  // A run whose steps are known and do not hold the exchange had it in its snapshot and learned nothing from it.
  const learned = new Set(uses.filter(({ steps }) => steps?.length !== 0).map(({ runId }) => runId));
  return {
    exchangeId,
    consent: exchange.consent,
    writtenBy: exchange.adapter,
    uses,
    adapters: adaptersAfter(await store.adapters.list(), learned).map(({ adapter, direct }) => {
      return { ...identityOf(adapter), state: adapter.state, direct };
    }),
  };
}

/** From an adapter back to the exchanges it learned from, and to its relatives; null when there is no such version. */
export async function adapterLineage(
  store: Store,
  version: number,
  limit: number,
  toRun: (run: StoredRun) => AdapterLineage["run"],
): Promise<AdapterLineage | null> {
  const adapters = await store.adapters.list();
  const adapter = adapters.find((candidate) => candidate.version === version);
  if (adapter === undefined) return null;
  const run = adapter.runId === null ? null : await store.runs.get(adapter.runId);
  const { exchanges, withdrawn } = run === null ? { exchanges: 0, withdrawn: 0 } : await store.lineage.countOf(run.id);
  const hasSteps = run !== null && (await store.lineage.hasSteps(run.id));
  const given = run === null ? [] : await store.lineage.exchangesOf(run.id, limit);
  return {
    adapter: toSummary(adapter),
    run: run === null ? null : toRun(run),
    exchanges: given.map(({ id, reward, steps, consent }) => {
      return { exchangeId: id, reward, steps: hasSteps ? (steps ?? 0) : null, consent: consent === 1 };
    }),
    exchangeCount: exchanges,
    withdrawn,
    ancestors: ancestorsOf(adapters, version).map(identityOf),
    descendants: descendantsOf(adapters, version).map(identityOf),
  };
}

/**
 * Says whether an exchange may train from now on; null when there is none. What was trained on it stays as it is, and is
 * named.
 */
export async function setConsent(store: Store, exchangeId: string, consent: boolean): Promise<ConsentChange | null> {
  if (!(await store.exchanges.setConsent(exchangeId, consent))) return null;
  const lineage = await exchangeLineage(store, exchangeId);
  return { exchangeId, consent, adapters: (lineage?.adapters ?? []).map(identityOf) };
}
