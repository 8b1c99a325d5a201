import { type Command, Option } from "commander";
import type { AdapterIdentity, AdapterLineage, ExchangeLineage } from "../protocol/index.ts";
import type { Store } from "../store/index.ts";
import { openLocalStore } from "./local-data.ts";
import { CliError, formatTable, printResult } from "./output.ts";
import { type PlaceOptions, parseCount, runningServer, withPlace } from "./place.ts";

/** Asks the running server, else the data folder. */
async function ask<T>(
  options: PlaceOptions,
  path: string,
  local: (store: Store) => Promise<T | null>,
  missing: string,
): Promise<T> {
  const server = await runningServer(options);
  if (server !== null) return server.get<T>(path);
  const store = await openLocalStore(options);
  try {
    const found = await local(store);
    if (found === null) throw new CliError(missing);
    return found;
  } finally {
    await store.close();
  }
}

const named = ({ name, version }: AdapterIdentity) => `${name}@${version}`;
const list = (adapters: readonly AdapterIdentity[]) => adapters.map(named).join(", ") || "-";

async function showExchange(id: string, options: PlaceOptions): Promise<void> {
  const { exchangeLineage } = await import("../lineage/lineage.ts");
  const lineage = await ask<ExchangeLineage>(
    options,
    `/api/lineage/exchanges/${encodeURIComponent(id)}`,
    (store) => exchangeLineage(store, id),
    `There is no exchange ${id}`,
  );
  const rows = lineage.uses.map(({ runId, algorithm, state, reward, steps, result }) => [
    runId,
    algorithm,
    state,
    reward.toFixed(3),
    steps === null ? "not recorded" : steps.join(", ") || "none",
    result === null ? "-" : named(result),
  ]);
  const lines = [
    `Exchange ${id}, ${lineage.consent ? "with" : "without"} consent, written by ${named(lineage.writtenBy)}`,
    rows.length === 0 ? "No run has used it" : formatTable(["run", "by", "state", "reward", "steps", "result"], rows),
    `Adapters that learned from it: ${list(lineage.adapters)}`,
  ];
  printResult(options.json, lineage, lines.join("\n"));
}

async function showAdapter(version: number, options: PlaceOptions & { limit: number }): Promise<void> {
  const [{ adapterLineage }, { toTrainingRun }] = await Promise.all([
    import("../lineage/lineage.ts"),
    import("../training/run-progress.ts"),
  ]);
  const lineage = await ask<AdapterLineage>(
    options,
    `/api/lineage/adapters/${version}?limit=${options.limit}`,
    (store) => adapterLineage(store, version, options.limit, toTrainingRun),
    `There is no adapter version ${version}`,
  );
  const { adapter, run, exchanges, exchangeCount, withdrawn, ancestors, descendants } = lineage;
  const rows = exchanges.map(({ exchangeId, reward, steps, consent }) => {
    return [
      exchangeId,
      reward.toFixed(3),
      steps === null ? "not recorded" : String(steps),
      consent ? "yes" : "withdrawn",
    ];
  });
  const erased = adapter.erasedData;
  const lines = [
    `${named(adapter)} (${adapter.state})`,
    `  run          ${run === null ? "-" : `${run.id} (${run.algorithm}, ${run.state}, ${run.step} steps)`}`,
    `  ancestors    ${list(ancestors)}`,
    `  descendants  ${list(descendants)}`,
    `  erased       ${erased === null ? "-" : `${erased.exchanges} exchanges, last ${erased.at.slice(0, 19)}`}`,
    `  exchanges    ${exchangeCount}, ${withdrawn} of them with their consent withdrawn since`,
    ...(rows.length === 0 ? [] : [formatTable(["exchange", "reward", "steps", "consent"], rows)]),
  ];
  printResult(options.json, lineage, lines.join("\n"));
}

export function addExchangeLineageCommand(command: Command): Command {
  return withPlace(command)
    .description("which adapter wrote a reply, which steps of which runs used it, and what came of it")
    .argument("<exchange>", "id of the exchange")
    .action(showExchange);
}

export function addAdapterLineageCommand(command: Command): Command {
  return withPlace(command)
    .description("the run, exchanges and relatives of a version")
    .argument("<version>", "number of the adapter version", parseCount)
    .addOption(new Option("--limit <number>", "list at most so many exchanges").argParser(parseCount).default(20))
    .action(showAdapter);
}
