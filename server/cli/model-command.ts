import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import { openQuantized } from "../../engine/quantization/open-quantized.ts";
import { readConfig } from "../config.ts";
import type { ModelDescription } from "../models/inspect-model.ts";
import { createFetchCommand } from "./model-fetch-command.ts";
import { printResult, startProgress } from "./output.ts";
import { jsonOption } from "./place.ts";

interface InspectOptions {
  json: boolean;
  tensors: boolean;
}

/** Of 1000 bytes, as disks and memory are sold. */
function formatBytes(bytes: number): string {
  const unit = ["bytes", "kB", "MB", "GB"].findLast((_, power) => bytes >= 1000 ** power) ?? "bytes";
  const power = ["bytes", "kB", "MB", "GB"].indexOf(unit);
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** power).toPrecision(3)} ${unit}`;
}

function formatCount(count: number): string {
  if (count < 1e6) return String(count);
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} million` : `${(count / 1e9).toFixed(2)} billion`;
}

function describeMemory({ memory }: ModelDescription): string[] {
  if (!("int8" in memory)) return [`fp32 ${formatBytes(memory.none)}`];
  const { none, int8, int4, cachePerToken } = memory;
  return [
    `fp32 ${formatBytes(none)}, int8 about ${formatBytes(int8)}, int4 about ${formatBytes(int4)}`,
    `and ${formatBytes(cachePerToken)} for each token of a conversation`,
  ];
}

function rowsOf(model: ModelDescription): [string, string][] {
  const { layers, hiddenSize, keyValueHeads, headSize, vocabularySize, contextLength, tokenizer, labels } = model;
  const template = model.chatTemplate ?? "none: put the model's own into chat_template.jinja";
  const [weights = "", cache] = describeMemory(model);
  const isChat = model.kind === "chat";
  return [
    ["architecture", `${model.architecture}, ${formatCount(model.parameters)} parameters`],
    ["sha256", model.sha256],
    [
      "layers",
      `${layers}, hidden size ${hiddenSize}, ${keyValueHeads} ${isChat ? "key/value " : ""}heads of ${headSize}`,
    ],
    ["stored as", model.storedAs.join(", ")],
    ["memory", weights],
    ...(cache === undefined ? [] : ([["", cache]] satisfies [string, string][])),
    ["context", `${contextLength} tokens`],
    ["tokenizer", `${tokenizer.kind}, ${vocabularySize} tokens, ${tokenizer.controlTokens} of them for control`],
    isChat ? ["chat template", template] : ["labels", labels?.join(", ") ?? "none: an encoder for embeddings"],
    ["licence", model.licence ?? "not said in a README.md"],
  ];
}

async function inspect(folder: string | undefined, options: InspectOptions): Promise<void> {
  const { inspectModel } = await import("../models/inspect-model.ts");
  const model = inspectModel(folder === undefined ? readConfig(process.env).modelDir : resolve(folder));
  const { tensors, ...rest } = model;
  const description = options.tensors ? model : rest;
  const lines = [model.id, ...rowsOf(model).map(([name, value]) => `  ${name.padEnd(15)}${value}`)];
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
    .description("fetch, look at and prepare base models")
    .addCommand(createFetchCommand())
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
