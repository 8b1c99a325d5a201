/** The engine: a checkpoint folder becomes something that can be talked to. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { readArchitecture } from "./checkpoint/config.ts";
import { EngineClient } from "./generation/engine-client.ts";
import type { Goal } from "./generation/goal.ts";
import type { KvPrecision } from "./generation/kv-storage.ts";
import type { WorkerSettings } from "./generation/messages.ts";
import { loadTokenizer } from "./tokenizer/tokenizer.ts";
import { type Device, devices, type Engine, type ModelInfo } from "./types.ts";

export { createEncoder } from "./encoder/encoder-client.ts";

export interface EngineOptions {
  /** Checkpoint folder: config.json, tokenizer.json, a chat template, model.safetensors or shards. */
  modelDir: string;
  /** Precision of the weights in products. Default "none": as the checkpoint has them. */
  quantization?: ModelInfo["quantization"];
  /** Where quantized weights are kept when they cannot lie beside the checkpoint. Default: the user's cache folder. */
  cacheDir?: string;
  /** Precision of cached keys and values. fp16 halves their memory, int8 takes little more than a quarter. Default "fp32". */
  kvCache?: KvPrecision;
  /** Where the model runs. What it needs must be there, or the start fails with a DeviceError. Default "cpu". */
  device?: Device;
  /** Threads of one matrix product, at least 1. Default: 2, or 1 where there is only one processor. */
  threads?: number;
  /** Replies written at a time; further requests wait. Default 8. */
  maxConcurrent?: number;
  /** Requests that may wait; further ones are refused as busy. Default 64. */
  maxQueue?: number;
  /** Bytes of keys and values kept so that the next turn of a conversation reads only what is new. Default 8 MiB. */
  prefixBytes?: number;
  /** What counts: how soon the next token of each reply comes, or how many replies an hour. Default "latency". */
  goal?: Goal;
  /** Called once should the engine's thread end by itself: from then on nothing can be asked of the engine. */
  onFailure?: (cause: Error) => void;
}

/**
 * Starts an engine in its own thread.
 * @throws CheckpointError naming the file and what is wrong with it; DeviceError if the runtime cannot use the device
 */
export async function createEngine({
  modelDir,
  quantization = "none",
  cacheDir,
  kvCache = "fp32",
  device = "cpu",
  threads = Math.min(2, availableParallelism()),
  maxConcurrent = 8,
  maxQueue = 64,
  prefixBytes = 2 ** 23,
  goal = "latency",
  onFailure,
}: EngineOptions): Promise<Engine> {
  for (const [name, value, least] of [
    ["threads", threads, 1],
    ["maxConcurrent", maxConcurrent, 1],
    ["maxQueue", maxQueue, 0],
    ["prefixBytes", prefixBytes, 0],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw new RangeError(`${name} must be a whole number from ${least}, not ${value}`);
    }
  }
  if (!devices.includes(device)) throw new RangeError(`device must be one of ${devices.join(", ")}, not ${device}`);
  const { vocabularySize } = readArchitecture(modelDir);
  const tokenizer = loadTokenizer(modelDir, vocabularySize);
  const { bytes, stopTokens, roleTags } = tokenizer;
  const vocabulary = { bytes, stopTokens, roleTags };
  const workerData: WorkerSettings = {
    modelDir,
    quantization,
    cacheDir,
    kvCache,
    device,
    vocabulary,
    threads,
    maxConcurrent,
    maxQueue,
    prefixBytes,
    goal,
  };
  const worker = new Worker(new URL("./generation/worker.ts", import.meta.url), { workerData });
  return EngineClient.attach(worker, modelDir, tokenizer, onFailure);
}
