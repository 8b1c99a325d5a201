import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import type { TrainingRunDetail } from "../protocol/index.ts";
import { ppoSettingsSchema, type StartRun } from "../training/requests.ts";
import { CliError, printNote, printResult, startProgress } from "./output.ts";
import { type PlaceOptions, parseCount, runningServer, withPlace } from "./place.ts";
import { runTrainerProgram } from "./spawn-trainer.ts";
import { type TrainingPlace, trainingOnServer, watchRun } from "./training-place.ts";

interface PpoOptions extends PlaceOptions {
  set: Record<string, number>;
  promote: boolean;
  wait: boolean;
  maxExchanges?: number;
  withoutErased: boolean;
}

/** `--set learningRate=1e-4`, repeatable. */
function collectSetting(text: string, earlier: Record<string, number>): Record<string, number> {
  const [, name, value] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? [];
  const known = Object.keys(ppoSettingsSchema.shape);
  if (name === undefined || value === undefined || Number.isNaN(Number(value)) || !known.includes(name)) {
    throw new InvalidArgumentError(`Expected NAME=NUMBER with a name out of ${known.join(", ")}, got "${text}".`);
  }
  return { ...earlier, [name]: Number(value) };
}

function describeRun({ state, exchanges, result, metrics, error }: TrainingRunDetail): string {
  const lines = [
    `Run ${state}: ${exchanges} exchanges${result === null ? "" : `, adapter ${result.name}@${result.version}`}`,
  ];
  for (const [name, value] of Object.entries(metrics)) lines.push(`  ${name}: ${Number(value.toPrecision(5))}`);
  if (error !== null) lines.push(`${error.code}: ${error.message}`);
  return lines.join("\n");
}

async function openTraining(options: PlaceOptions): Promise<TrainingPlace> {
  const server = await runningServer(options);
  if (server !== null) {
    printNote(`Training on the server at ${server.url}`);
    return trainingOnServer(server);
  }
  printNote(`Training on ${options.dataDir}`);
  const local = await (await import("./local.ts")).openLocal(options);
  return {
    start: async (request) => (await local.training.start({ ...request, trigger: "cli" })).id,
    async get(id) {
      const run = await local.training.get(id);
      if (run === null) throw new CliError(`There is no training run ${id}`);
      return run;
    },
    close: () => local.close(),
  };
}

async function trainPpo(options: PpoOptions): Promise<void> {
  const settings = ppoSettingsSchema.safeParse(options.set);
  if (!settings.success) throw new CliError(`--set: ${z.prettifyError(settings.error)}`);
  const place = await openTraining(options);
  // The run is kept in the data folder: whoever opens it next goes on with it.
  const interrupt = () => {
    printNote("\nInterrupted; the run goes on with the server, or at the next start on this data folder.");
    void place.close().finally(() => process.exit(130));
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const request: Partial<StartRun> & { algorithm: "ppo" } = {
      algorithm: "ppo",
      settings: settings.data,
      promote: options.promote,
      from: options.withoutErased ? "clean" : "live",
      ...(options.maxExchanges === undefined ? {} : { maxExchanges: options.maxExchanges }),
    };
    const id = await place.start(request);
    if (!options.wait) return printResult(options.json, { id }, `Queued run ${id}`);
    const progress = startProgress("PPO", options.json);
    const run = await watchRun(place, id, ({ state, step, steps, metrics }) => {
      const reward = metrics.reward === undefined ? "" : ` reward ${metrics.reward.toFixed(3)}`;
      if (steps > 0) progress.update(step, steps, `${state}${reward}`);
    });
    progress.stop();
    printResult(options.json, run, describeRun(run));
    if (run.state !== "succeeded") process.exitCode = 1;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await place.close();
  }
}

function trainerProgram(name: "sft" | "pretrain", description: string): Command {
  return new Command(name)
    .description(description)
    .argument("[options...]", "see --help")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action((args: string[]) => runTrainerProgram(name, args));
}

export function createTrainCommand(): Command {
  const ppo = withPlace(new Command("ppo"))
    .description("train on logged exchanges by PPO: by the running server, else on the data folder itself")
    .option("--set <name=number>", "a setting of the run; may be given more than once", collectSetting, {})
    .option(
      "--max-exchanges <number>",
      "train on at most so many exchanges, new and newly judged ones first",
      parseCount,
    )
    .option("--without-erased", "from the newest ancestor that erased data did not touch, on what is left since", false)
    .option("--no-promote", "leave the result a candidate")
    .option("--no-wait", "return when the run is queued (on a running server)")
    .action(trainPpo);
  return new Command("train")
    .description("train adapters and models")
    .enablePositionalOptions()
    .addCommand(ppo)
    .addCommand(trainerProgram("sft", "fine-tune a LoRA adapter on examples"))
    .addCommand(trainerProgram("pretrain", "pre-train a base model from scratch"));
}
