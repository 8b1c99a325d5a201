import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { ppoSettingsSchema } from "../../trainer/contract.ts";
import type { TrainingRunDetail } from "../protocol/index.ts";
import { promptSchema, type RolloutPrompt, type StartRun, startRunSchema } from "../training/requests.ts";
import { CliError, printNote, printResult, startProgress } from "./output.ts";
import { type PlaceOptions, parseCount, runningServer, withPlace } from "./place.ts";
import { runTrainerProgram } from "./spawn-trainer.ts";
import { type TrainingPlace, trainingOnServer, watchRun } from "./training-place.ts";

type PpoRequest = Extract<StartRun, { algorithm: "ppo" }>;

interface PpoOptions extends PlaceOptions {
  set: Record<string, number | string>;
  from?: string;
  fresh: boolean;
  prompts?: string;
  rounds?: number;
  promptsPerRound?: number;
  repliesPerPrompt?: number;
  temperature?: number;
  maxTokens?: number;
  promote: boolean;
  wait: boolean;
  maxExchanges?: number;
  withoutErased: boolean;
}

/** `--set learningRate=1e-4`, repeatable. */
function collectSetting(text: string, earlier: Record<string, number | string>): Record<string, number | string> {
  const [, name, value] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? [];
  const known = Object.keys(ppoSettingsSchema.shape);
  if (name === undefined || value === undefined || !known.includes(name)) {
    throw new InvalidArgumentError(`Expected NAME=VALUE with a name out of ${known.join(", ")}, got "${text}".`);
  }
  return { ...earlier, [name]: Number.isNaN(Number(value)) ? value : Number(value) };
}

/** `live`, `base` or a version number. */
function startOf(text: string | undefined): StartRun["from"] | undefined {
  if (text === undefined || text === "live" || text === "base") return text;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CliError(`--from must be live, base or a version number, not "${text}"`);
}

/** @throws CliError naming file and line */
function readPromptFile(path: string): RolloutPrompt[] {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch {
    throw new CliError(`--prompts: ${path} cannot be read`);
  }
  return content.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      throw new CliError(`${path}, line ${index + 1}: is not JSON`);
    }
    const prompt = promptSchema.safeParse(row);
    if (!prompt.success) throw new CliError(`${path}, line ${index + 1}: ${z.prettifyError(prompt.error)}`);
    return [prompt.data];
  });
}

function requestOf(options: PpoOptions): PpoRequest {
  const { rounds, promptsPerRound, repliesPerPrompt, temperature, maxTokens, maxExchanges, promote } = options;
  const how = { rounds, promptsPerRound, repliesPerPrompt, temperature, maxTokens };
  const given = Object.fromEntries(Object.entries(how).filter(([, value]) => value !== undefined));
  if (!options.fresh && (options.prompts !== undefined || Object.keys(given).length > 0)) {
    throw new CliError("--prompts, --rounds and how replies are sampled belong to --fresh");
  }
  if (options.withoutErased && options.from !== undefined) {
    throw new CliError("--without-erased says what to start from; leave out --from");
  }
  const from = options.withoutErased ? "clean" : startOf(options.from);
  const prompts = options.prompts === undefined ? undefined : readPromptFile(options.prompts);
  const request = startRunSchema.safeParse({
    algorithm: "ppo",
    settings: options.set,
    promote,
    ...(from === undefined ? {} : { from }),
    ...(maxExchanges === undefined ? {} : { maxExchanges }),
    ...(options.fresh
      ? { rollouts: { source: "fresh", ...given, ...(prompts === undefined ? {} : { prompts }) } }
      : {}),
  });
  if (!request.success) throw new CliError(z.prettifyError(request.error));
  return request.data as PpoRequest;
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
  const request = requestOf(options);
  const place = await openTraining(options);
  // The run is kept in the data folder: whoever opens it next goes on with it.
  const interrupt = () => {
    printNote("\nInterrupted; the run goes on with the server, or at the next start on this data folder.");
    void place.close().finally(() => process.exit(130));
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
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
    .description(
      "train by PPO, on logged exchanges or fresh rollouts: on the running server, else on the data folder itself",
    )
    .option("--from <adapter>", "the adapter to continue: live, base or a version number (default: live)")
    .option("--fresh", "sample replies as training goes on, instead of taking them from the log", false)
    .option("--prompts <file>", "with --fresh: JSON lines {messages} to answer (default: the logged prompts)")
    .option("--rounds <number>", "with --fresh: times to sample and train", parseCount)
    .option("--prompts-per-round <number>", "with --fresh", parseCount)
    .option("--replies-per-prompt <number>", "with --fresh", parseCount)
    .option("--temperature <number>", "with --fresh: that replies are sampled at", Number)
    .option("--max-tokens <number>", "with --fresh: most tokens of a reply", parseCount)
    .option("--set <name=value>", "a setting of the run; may be given more than once", collectSetting, {})
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
