import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { readConfig } from "../config.ts";
import { createFetchCommand } from "./model-fetch-command.ts";
import { printResult } from "./output.ts";
import { jsonOption } from "./place.ts";

interface InspectOptions {
  json: boolean;
  tensors: boolean;
}

/** Reads the whole checkpoint, so that what is damaged is found here and not at the next start. */
function inspect(folder: string | undefined, options: InspectOptions): void {
  const path = folder === undefined ? readConfig(process.env).modelDir : resolve(folder);
  const { architecture, parameters, sha256 } = readCheckpoint(path);
  const { name, layers, hiddenSize, headSize, keyValueHeads, vocabularySize, contextLength } = architecture;
  const tensors = [...architecture.parameters].map(([tensor, shape]) => ({ name: tensor, shape }));
  const description = {
    id: basename(path),
    folder: path,
    architecture: name,
    parameters,
    sha256,
    layers,
    hiddenSize,
    headSize,
    keyValueHeads,
    vocabularySize,
    contextLength,
    ...(options.tensors ? { tensors } : {}),
  };
  const lines = [
    `${basename(path)}: ${name}, ${(parameters / 1e6).toFixed(1)} million parameters`,
    `  sha256      ${sha256}`,
    `  layers      ${layers}, hidden size ${hiddenSize}, ${keyValueHeads} key/value heads of ${headSize}`,
    `  vocabulary  ${vocabularySize} tokens`,
    `  context     ${contextLength} tokens`,
  ];
  if (options.tensors) for (const tensor of tensors) lines.push(`  ${tensor.name}  [${tensor.shape.join(", ")}]`);
  printResult(options.json, description, lines.join("\n"));
}

export function createModelCommand(): Command {
  return new Command("model")
    .description("fetch and look at base models")
    .addCommand(createFetchCommand())
    .addCommand(
      new Command("inspect")
        .description("check a checkpoint folder and say what it holds")
        .argument("[folder]", "default: MODEL, else the embedded model")
        .addOption(jsonOption())
        .addOption(new Option("--tensors", "list every tensor with its shape").default(false))
        .action(inspect),
    );
}
