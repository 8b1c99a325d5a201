/** What the seed's two models need to serve on this machine: their shapes, with weights that say nothing. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArchitecture } from "../engine/checkpoint/config.ts";
import { safetensorsHeader } from "../engine/checkpoint/safetensors.ts";
import type { Precision } from "../engine/quantization/layout.ts";
import { openQuantized } from "../engine/quantization/open-quantized.ts";
import { projectFolder } from "../test/support/running-server.ts";
import { writeRandomQuantized } from "./random-quantized.ts";
import type { Figure } from "./report.ts";
import { runWatched } from "./watched-process.ts";

interface LargeModel {
  name: string;
  precision: Precision;
  /** Bytes of memory while it answers. */
  atMost: number;
  /** Bytes of memory while it is trained. */
  trainingAtMost: number;
  config: Record<string, unknown>;
}

const models: readonly LargeModel[] = [
  {
    name: "RedPajama-INCITE-Chat-3B shape, int8",
    precision: "int8",
    atMost: 4.5e9,
    trainingAtMost: 20e9,
    config: {
      architectures: ["GPTNeoXForCausalLM"],
      hidden_size: 2560,
      intermediate_size: 10_240,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      vocab_size: 50_432,
      max_position_embeddings: 2048,
      rotary_pct: 1,
      use_parallel_residual: false,
      hidden_act: "gelu",
      layer_norm_eps: 1e-5,
      tie_word_embeddings: false,
    },
  },
  {
    name: "falcon-7b-instruct shape, int4",
    precision: "int4",
    atMost: 6e9,
    trainingAtMost: 20e9,
    config: {
      architectures: ["FalconForCausalLM"],
      hidden_size: 4544,
      num_hidden_layers: 32,
      num_attention_heads: 71,
      multi_query: true,
      parallel_attn: true,
      new_decoder_architecture: false,
      alibi: false,
      bias: false,
      vocab_size: 65_024,
      layer_norm_epsilon: 1e-5,
    },
  },
];

/** A checkpoint's folder of which only the quantized file has data: the rest is a hole that is never read. */
function writeFolder(folder: string, { config, precision }: LargeModel): void {
  mkdirSync(join(folder, "quantized"), { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    cpSync(join(projectFolder, "models", "rejoinder-tiny", name), join(folder, name));
  }
  const types = [...readArchitecture(folder).parameters].map(
    ([name, shape]) => [name, { type: "BF16" as const, shape }] as const,
  );
  const header = safetensorsHeader(new Map(types), { format: "pt" });
  const weights = types.reduce((sum, [, { shape }]) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
  const path = join(folder, "model.safetensors");
  const descriptor = openSync(path, "w");
  writeSync(descriptor, header);
  ftruncateSync(descriptor, header.length + 2 * weights);
  closeSync(descriptor);
  // The hash by which the quantized file is found, told as the engine notes it, so that the hole is not read for it.
  const sha256 = "0".repeat(64);
  const { size, mtimeMs } = statSync(path);
  const note = { files: [{ name: "model.safetensors", size, mtimeMs }], sha256 };
  writeFileSync(join(folder, "quantized", "source.json"), JSON.stringify(note));
  writeRandomQuantized(folder, precision, sha256);
}

interface Answered {
  readySeconds: number;
  /** Memory that is in no file. */
  anonymousBytes: number;
  tokensPerSecond: number;
}

/** Serves it in a process of its own, whose memory is its own. */
function serve(folder: string, precision: Precision): Answered {
  const script = join(import.meta.dirname, "large-model-process.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder, precision], { encoding: "utf8" });
  if (status !== 0) throw new Error(`serving ${folder} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout) as Answered;
}

/** Replies of a PPO step, each of 256 tokens. */
const replies = 8;

/** One PPO step of an adapter of rank 16, in a process of its own. */
async function train(
  folder: string,
  { name, precision, trainingAtMost }: LargeModel,
  weights: number,
): Promise<Figure[]> {
  const script = join(import.meta.dirname, "ppo-step-process.ts");
  const args = [folder, precision, String(replies)];
  const { output, peakAnonymousBytes } = await runWatched(script, args, trainingAtMost - weights);
  const { seconds, tokens } = JSON.parse(output) as { seconds: number; tokens: number };
  return [
    {
      name: `${name}: memory of a PPO step`,
      value: (peakAnonymousBytes + weights) / 1e9,
      unit: "GB",
      target: { atMost: trainingAtMost / 1e9 },
      how: `${(peakAnonymousBytes / 1e9).toFixed(2)} GB at most and the whole file of weights; ${tokens} reply tokens, rank 16`,
    },
    { name: `${name}: time of a PPO step`, value: seconds, unit: "s", target: null, how: "one reply a pass" },
  ];
}

export async function measureLargeModels(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const model of models) {
    const folder = mkdtempSync(join(tmpdir(), "large-model-"));
    try {
      writeFolder(folder, model);
      const { bytes, isNew } = (await openQuantized(folder, { precision: model.precision })).quantizedFile;
      if (isNew) throw new Error(`the quantized file of ${model.name} should have been there`);
      const { readySeconds, anonymousBytes, tokensPerSecond } = serve(folder, model.precision);
      figures.push(
        {
          // The weights are mapped, and a system may count few of a file's pages: all of them are needed.
          name: `${model.name}: memory`,
          value: (anonymousBytes + bytes) / 1e9,
          unit: "GB",
          target: { atMost: model.atMost / 1e9 },
          how: `${(anonymousBytes / 1e9).toFixed(2)} GB and the whole file of weights, after a reply; random weights`,
        },
        {
          name: `${model.name}: ready after`,
          value: readySeconds,
          unit: "s",
          target: null,
          how: "file in the system's cache",
        },
        { name: `${model.name}: one stream`, value: tokensPerSecond, unit: "tokens/s", target: null, how: "16 tokens" },
        ...(await train(folder, model, bytes)),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  return figures;
}
