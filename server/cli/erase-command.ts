import { join } from "node:path";
import { type Command, Option } from "commander";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import type { ErasureReport } from "../protocol/index.ts";
import { configOf, openLocalStore } from "./local-data.ts";
import { CliError, printResult, terminalFanOut } from "./output.ts";
import { type PlaceOptions, runningServer, withPlace } from "./place.ts";

interface EraseOptions extends PlaceOptions {
  yes: boolean;
}

async function onFolder(user: string, options: PlaceOptions): Promise<ErasureReport> {
  const { createErasureService } = await import("../erasure/service.ts");
  const { dataDir } = configOf(options);
  const store = await openLocalStore(options);
  try {
    const artifacts = createFolderArtifacts(join(dataDir, "artifacts"));
    const runsFolder = join(dataDir, "runs");
    const erasure = createErasureService({ store, artifacts, fanOut: terminalFanOut, runsFolder, training: null });
    return await erasure.erase(user);
  } finally {
    await store.close();
  }
}

function describe({ conversations, exchanges, annotations, runs, restarted, adapters }: ErasureReport): string {
  const versions = adapters.map(({ name, version }) => `${name}@${version}`).join(", ");
  return [
    `Erased ${exchanges} exchanges in ${conversations} conversations, and ${annotations} annotations of them`,
    `  training runs that had used some   ${runs.length === 0 ? "none" : runs.join(", ")}`,
    ...restarted.map(({ cancelled, started }) => `  under way, started again without   ${cancelled} as ${started}`),
    `  adapters that learned from some    ${versions || "none"}`,
  ].join("\n");
}

async function erase(user: string, options: EraseOptions): Promise<void> {
  if (!options.yes) throw new CliError(`What is erased cannot be brought back; add --yes to erase the data of ${user}`);
  const server = await runningServer(options);
  const report =
    server === null
      ? await onFolder(user, options)
      : await server.delete<ErasureReport>(`/api/users/${encodeURIComponent(user)}/data`);
  printResult(options.json, report, describe(report));
}

export function addEraseCommand(command: Command): Command {
  return withPlace(command)
    .description("erase everything that a person said and was answered, wherever it is kept")
    .argument("<user>", "as exchanges name their owner")
    .addOption(new Option("--yes", "really do it").default(false))
    .action(erase);
}
