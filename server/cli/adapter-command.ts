import { cp, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { GateService } from "../gate/service.ts";
import {
  type AdapterSummary,
  type Deployment,
  type DeploymentStage,
  deploymentStages,
  type GateStatus,
  type Page,
  type Verdict,
} from "../protocol/index.ts";
import { addAdapterLineageCommand } from "./lineage-command.ts";
import type { Local } from "./local.ts";
import { openLocalCatalog } from "./local-data.ts";
import { CliError, formatTable, printResult } from "./output.ts";
import { type PlaceOptions, parseCount, runningServer, withPlace } from "./place.ts";

interface DeploymentOptions extends PlaceOptions {
  reason?: string;
}

interface PromotionOptions extends DeploymentOptions {
  stage: DeploymentStage;
  share?: number;
  force?: boolean;
}

const saidNothing = "by command line";

const did: Record<Deployment["action"], string> = {
  promote: "is live",
  rollback: "is live again",
  retire: "is retired",
  reject: "is rejected",
  shadow: "is in shadow",
  canary: "is in canary",
};

async function listAdapters(options: PlaceOptions): Promise<AdapterSummary[]> {
  const server = await runningServer(options);
  if (server !== null) return (await server.get<Page<AdapterSummary>>("/api/adapters")).items;
  const local = await openLocalCatalog(options);
  try {
    return local.catalog.all().map(({ folder: _, ...summary }) => summary);
  } finally {
    await local.close();
  }
}

function describeMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");
}

async function list(options: PlaceOptions): Promise<void> {
  const adapters = await listAdapters(options);
  const rows = adapters.map((adapter) => [
    `${adapter.name}@${adapter.version}`,
    adapter.state,
    adapter.sha256.slice(0, 12),
    adapter.parent === null ? "-" : String(adapter.parent),
    adapter.createdAt.slice(0, 19),
    `r${adapter.rank}`,
  ]);
  const table = formatTable(["adapter", "state", "sha256", "parent", "created", "rank"], rows);
  printResult(options.json, adapters, rows.length === 0 ? "No adapters; the base model serves." : table);
}

function describeVerdict({ summary, checks }: Verdict): string {
  return [summary, ...checks.map(({ name, explanation }) => `${name}: ${explanation}`)].join("\n");
}

async function show(version: number, options: PlaceOptions): Promise<void> {
  const adapter = (await listAdapters(options)).find((candidate) => candidate.version === version);
  if (adapter === undefined) throw new CliError(`There is no adapter version ${version}`);
  const { verdict } = adapter;
  const lines = [
    `${adapter.name}@${adapter.version} (${adapter.state})`,
    `  sha256   ${adapter.sha256}`,
    `  parent   ${adapter.parent ?? "the base model"}`,
    `  run      ${adapter.runId ?? "-"}`,
    `  created  ${adapter.createdAt}`,
    `  LoRA     rank ${adapter.rank}, alpha ${adapter.alpha}, on ${adapter.targetModules.join(", ")}`,
    ...(adapter.erasedData === null
      ? []
      : [`  erased   ${adapter.erasedData.exchanges} exchanges that it learned from, directly or by descent`]),
    `  metrics  ${describeMetrics(adapter.metrics) || "-"}`,
    `  gate     ${verdict === null ? "-" : describeVerdict(verdict).replaceAll("\n", "\n           ")}`,
  ];
  printResult(options.json, adapter, lines.join("\n"));
}

function printDeployment({ json }: PlaceOptions, deployment: Deployment): void {
  const { action, to, from, share } = deployment;
  const isSwap = action === "promote" || action === "rollback";
  const after = isSwap && from !== null ? `, after version ${from.version}` : "";
  const part = share === undefined ? "" : `, with a share of ${share}`;
  printResult(json, deployment, `${to.name}@${to.version} ${did[action]}${after}${part}`);
}

/** On the data folder, where no server runs. */
async function onLocal(options: PlaceOptions, work: (local: Local) => Promise<Deployment>): Promise<Deployment> {
  const local = await (await import("./local.ts")).openLocal(options);
  try {
    return await work(local);
  } finally {
    await local.close();
  }
}

async function promote(version: number, options: PromotionOptions): Promise<void> {
  const { stage, share, force = false, reason = saidNothing } = options;
  if (stage === "live" && share !== undefined) throw new CliError("--share goes with --stage shadow or canary only");
  if (force && options.reason === undefined) throw new CliError("--force needs a --reason, for the deployment log");
  const server = await runningServer(options);
  const body = { reason, stage, ...(share === undefined ? {} : { share }), ...(force ? { force } : {}) };
  const deployment =
    server === null
      ? await onLocal(options, ({ registry, shares }) =>
          registry.promote(version, "cli", reason, { stage, share: share ?? shares[stage], force }),
        )
      : await server.post<Deployment>(`/api/adapters/${version}/promote`, body);
  printDeployment(options, deployment);
}

async function rollBack(options: DeploymentOptions): Promise<void> {
  const { reason = saidNothing } = options;
  const server = await runningServer(options);
  const deployment =
    server === null
      ? await onLocal(options, ({ registry }) => registry.rollback("cli", reason))
      : await server.post<Deployment>("/api/adapters/rollback", { reason });
  printDeployment(options, deployment);
}

/** Where a gate is asked for and watched: a running server or this process. */
async function openGates(options: PlaceOptions): Promise<GateService & { close(): Promise<void> }> {
  const server = await runningServer(options);
  if (server === null) {
    const local = await (await import("./local.ts")).openLocal(options);
    return { ...local.gates, close: () => local.close() };
  }
  const path = (version: number) => `/api/adapters/${version}/gate`;
  return {
    start: (version) => server.post<GateStatus>(path(version), {}),
    status: (version) => server.get<GateStatus>(path(version)),
    close: async () => undefined,
  };
}

const lookEveryMs = 300;

async function gateVersion(version: number, options: PlaceOptions): Promise<void> {
  const gates = await openGates(options);
  try {
    let status = await gates.start(version);
    while (status.state === "waiting" || status.state === "active") {
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      status = await gates.status(version);
    }
    const { error, verdict } = status;
    if (status.state !== "done" || verdict === null) throw new CliError(error ?? `The gate was ${status.state}`);
    printResult(options.json, verdict, describeVerdict(verdict));
    if (!verdict.passed) process.exitCode = 1;
  } finally {
    await gates.close();
  }
}

async function importFolder(folder: string, options: PlaceOptions): Promise<void> {
  const local = await openLocalCatalog(options);
  try {
    const version = await local.store.adapters.nextVersion();
    const adapter = await local.catalog.register({ version, folder: resolve(folder), runId: null });
    const { folder: _, ...summary } = adapter;
    printResult(
      options.json,
      summary,
      `Imported ${folder} as ${adapter.name}@${version}, a candidate; rejoinder adapter gate ${version} asks what it says`,
    );
  } finally {
    await local.close();
  }
}

async function exportFolder(version: number, folder: string, options: PlaceOptions): Promise<void> {
  const target = resolve(folder);
  if ((await stat(target).catch(() => null)) !== null) throw new CliError(`${target} exists already`);
  const local = await openLocalCatalog(options);
  try {
    const adapter = await local.catalog.find(version);
    const { folder: source, sha256 } = await local.catalog.verified(adapter);
    await cp(source, target, { recursive: true });
    printResult(options.json, { version, sha256, folder: target }, `Exported ${adapter.name}@${version} to ${target}`);
  } finally {
    await local.close();
  }
}

function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() === "" || !(share >= 0 && share <= 1))
    throw new InvalidArgumentError("Expected a number from 0 to 1.");
  return share;
}

const versionArgument = ["<version>", "number of the adapter version; 0 is the base model", parseCount] as const;

export function createAdapterCommand(): Command {
  const reason = ["--reason <text>", `why, for the deployment log (default: "${saidNothing}")`] as const;
  const named = (name: string) => withPlace(new Command(name));
  return new Command("adapter")
    .description("list, deploy, import and export LoRA adapters")
    .addCommand(named("list").description("all versions, newest first").action(list))
    .addCommand(
      named("show")
        .description("one version with its metrics")
        .argument(...versionArgument)
        .action(show),
    )
    .addCommand(addAdapterLineageCommand(new Command("lineage")))
    .addCommand(
      named("promote")
        .description("make a version live that has passed the gate, or put it in shadow or canary")
        .argument(...versionArgument)
        .option(...reason)
        .addOption(new Option("--stage <stage>", "where to").choices([...deploymentStages]).default("live"))
        .option("--share <number>", "0 to 1, of the exchanges (shadow) or conversations (canary)", parseShare)
        .option("--force", "although it has not passed; needs a --reason")
        .action(promote),
    )
    .addCommand(
      named("gate")
        .description("compare a version with what is live on held-out prompts, and keep the verdict")
        .argument(...versionArgument)
        .action(gateVersion),
    )
    .addCommand(
      named("rollback")
        .description("end the shadow or canary if there is one, else make live what was live before")
        .option(...reason)
        .action(rollBack),
    )
    .addCommand(
      named("import")
        .description("register a PEFT folder with rejoinder.json as the next version")
        .argument("<folder>")
        .action(importFolder),
    )
    .addCommand(
      named("export")
        .description("copy a version's PEFT folder out")
        .argument(...versionArgument)
        .argument("<folder>", "must not exist yet")
        .action(exportFolder),
    );
}
