import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { openQuantized } from "../../engine/quantization/open-quantized.ts";
import { readConfig } from "../config.ts";
import { printResult, startProgress } from "./output.ts";
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

interface QuantizeOptions {
  json: boolean;
  precision: "int8" | "int4";
}

/** Makes what a server with this QUANTIZATION would make at its first start. */
async function quantize(folder: string | undefined, { json, precision }: QuantizeOptions): Promise<void> {
  const config = readConfig(process.env);
  const path = folder === undefined ? config.modelDir : resolve(folder);
  const progress = startProgress(`${basename(path)} ${precision}`, json);
  const began = performance.now();
  const inMillions = (weights: number) => Math.round(weights / 1e5) / 10;
  const { quantizedFile, sha256 } = await openQuantized(path, {
    precision,
    cacheDir: config.cacheDir,
    onProgress: (done, total) => progress.update(inMillions(done), inMillions(total), "million weights"),
  });
  progress.stop();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const size = `${(quantizedFile.bytes / 2 ** 20).toFixed(1)} MiB`;
  const words = quantizedFile.isNew ? `made in ${seconds} s` : "was there already, and is intact";
  printResult(json, { ...quantizedFile, precision, sha256 }, `${quantizedFile.path}\n  ${size}, ${words}`);
}

export function createModelCommand(): Command {
  return new Command("model")
    .description("look at base models and prepare them")
    .addCommand(
      new Command("inspect")
        .description("check a checkpoint folder and say what it holds")
        .argument("[folder]", "default: MODEL, else the embedded model")
        .addOption(jsonOption())
        .addOption(new Option("--tensors", "list every tensor with its shape").default(false))
        .action(inspect),
    )
    .addCommand(
      new Command("quantize")
        .description("make the quantized weights that QUANTIZATION=int8 or int4 serves, ahead of the first start")
        .argument("[folder]", "default: MODEL, else the embedded model")
        .addOption(jsonOption())
        .addOption(new Option("--precision <name>", "of the weights").choices(["int8", "int4"]).makeOptionMandatory())
        .action(quantize),
    );
}
