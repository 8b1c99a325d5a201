/** What the engine's thread and its client say to each other. */
import {
  CheckpointError,
  type Device,
  DeviceError,
  EngineBusyError,
  EngineRequestError,
  type GenerationChunk,
  type GenerationRequest,
  type GenerationResult,
  type ModelInfo,
} from "../types.ts";
import type { StackableAdapter } from "./adapter-stack.ts";
import type { Goal } from "./goal.ts";
import type { KvPrecision } from "./kv-storage.ts";
import type { ReplyVocabulary } from "./reply.ts";

/** What the thread is started with. */
export interface WorkerSettings {
  modelDir: string;
  quantization: ModelInfo["quantization"];
  cacheDir: string | undefined;
  kvCache: KvPrecision;
  device: Device;
  vocabulary: ReplyVocabulary;
  threads: number;
  maxConcurrent: number;
  maxQueue: number;
  prefixBytes: number;
  goal: Goal;
}

/** `id` names the reply or the question in whatever comes back. */
export type ToWorker =
  | { type: "generate"; id: number; request: GenerationRequest }
  | { type: "cancel"; id: number }
  | { type: "score"; id: number; tokens: readonly number[]; from: number; adapter: string | null }
  | { type: "addAdapter"; id: number; adapter: StackableAdapter }
  | { type: "removeAdapter"; id: number; sha256: string }
  | { type: "close" };

export type WireReplyEvent = { id: number } & (
  | { chunk: GenerationChunk }
  | { result: GenerationResult }
  | { error: WireError }
);

export interface Counts {
  active: number;
  queued: number;
  tokensGenerated: number;
}

export type FromWorker =
  | { type: "ready"; model: ModelInfo }
  | { type: "unusable"; error: WireError }
  | { type: "events"; events: WireReplyEvent[]; counts: Counts }
  | { type: "answer"; id: number; logProbs?: number[] }
  | { type: "refusal"; id: number; error: WireError };

/** Structured cloning keeps no classes, and callers branch on them. */
export interface WireError {
  code:
    | EngineBusyError["code"]
    | EngineRequestError["code"]
    | CheckpointError["code"]
    | DeviceError["code"]
    | "internal";
  message: string;
}

export function toWire(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error);
  const isKnown =
    error instanceof EngineBusyError ||
    error instanceof EngineRequestError ||
    error instanceof CheckpointError ||
    error instanceof DeviceError;
  return { code: isKnown ? error.code : "internal", message };
}

export function fromWire({ code, message }: WireError): Error {
  switch (code) {
    case "busy":
      return new EngineBusyError(message);
    case "bad_checkpoint":
      return new CheckpointError(message);
    case "device_unavailable":
      return new DeviceError(message);
    case "internal":
      return new Error(message);
    default:
      return new EngineRequestError(code, message);
  }
}
