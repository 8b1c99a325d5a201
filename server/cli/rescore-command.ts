import type { Command } from "commander";
import type { RescoreStatus } from "../protocol/index.ts";
import type { ApiClient } from "./api-client.ts";
import { configOf, openLocalStore } from "./local-data.ts";
import { CliError, printResult, startProgress } from "./output.ts";
import { type PlaceOptions, runningServer, withPlace } from "./place.ts";

type Report = (scored: number, total: number) => void;

const path = "/api/rewards/re-score";
const lookEveryMs = 300;

async function onServer(server: ApiClient, report: Report): Promise<RescoreStatus> {
  let status = await server.post<RescoreStatus>(path, {});
  while (status.state === "waiting" || status.state === "running") {
    report(status.scored, status.total);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    status = await server.get<RescoreStatus>(path);
  }
  return status;
}

async function onFolder(options: PlaceOptions, report: Report): Promise<RescoreStatus> {
  const [{ loadJudge }, { rescore }] = await Promise.all([
    import("../chat/load-judge.ts"),
    import("../rewards/rescore.ts"),
  ]);
  const judge = await loadJudge(configOf(options).reward);
  const store = await openLocalStore(options);
  try {
    const { scorer } = judge;
    const result = await rescore({ store, scorer, onProgress: ({ scored, total }) => report(scored, total) });
    const [first] = result.failed;
    const { scored, total, failed } = result;
    const error = first === undefined ? null : `${failed.length} could not be scored; ${first.id}: ${first.message}`;
    return { state: error === null ? "done" : "failed", version: scorer.version, scored, total, error };
  } finally {
    await Promise.all([store.close(), judge.close()]);
  }
}

/** Interrupted, it has kept what it has scored; the same command goes on with the rest. */
async function run(options: PlaceOptions): Promise<void> {
  const progress = startProgress("re-score", options.json);
  const report: Report = (scored, total) => progress.update(scored, total, "");
  const server = await runningServer(options);
  const status = await (server === null ? onFolder(options, report) : onServer(server, report)).finally(progress.stop);
  if (status.state === "failed") throw new CliError(`Re-scoring failed: ${status.error}`);
  printResult(
    options.json,
    status,
    `${status.scored} of ${status.total} complete exchanges are scored under ${status.version}`,
  );
}

export function addRescoreCommand(command: Command): Command {
  return withPlace(command)
    .description("score every logged exchange under the present reward; earlier scores are kept")
    .action(run);
}
