/** The vocabulary of the engine's public interface: what a caller hands in and gets back. */

/** Effect, range and default of everything that shapes the sampled distribution. */
export interface SamplingOptions {
  /** Divides the logits. 0 means greedy (arg max). Range 0..2, default 0.5. */
  temperature: number;
  /** Keep only the k most likely tokens; 0 keeps all. Default 0. */
  topK: number;
  /** Keep the smallest set of tokens whose probability reaches p. Range (0, 1], default 0.95. */
  topP: number;
  /** Divides positive (multiplies negative) logits of tokens seen before. 1 is off. Range 1..2, default 1. */
  repetitionPenalty: number;
  /** Seed of this request's own random stream; the same seed, prompt and adapter give the same reply. */
  seed: number;
}

export interface GenerationRequest {
  /** Prompt token ids, template already applied. */
  promptTokens: readonly number[];
  /** sha256 of a resident adapter; null generates with the base weights. */
  adapter: string | null;
  sampling: SamplingOptions;
  /** Most tokens to generate, at least 1. */
  maxTokens: number;
  /** Strings that end the reply; they are not part of it. */
  stop: readonly string[];
  /** Alternatives to report per token (0..20); 0 reports none. */
  topLogProbs?: number;
}

export interface TokenAlternative {
  token: number;
  logProb: number;
}

/** One or several steps of a reply. Text may be empty while a character or a possible stop string is incomplete. */
export interface GenerationChunk {
  tokens: readonly number[];
  /** Log-prob (nats) of each token under the distribution it was really sampled from. */
  logProbs: readonly number[];
  /** Newly completed, UTF-8 safe text. */
  text: string;
  alternatives?: readonly (readonly TokenAlternative[])[];
}

export type FinishReason = "stop" | "length" | "cancelled" | "error";

export interface GenerationResult {
  /** All sampled ids, end token included when it was sampled. */
  tokens: number[];
  logProbs: number[];
  text: string;
  finishReason: FinishReason;
}

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

/** Where the model runs: an execution provider of onnxruntime. */
export const devices = ["cpu", "cuda", "webgpu"] as const;
export type Device = (typeof devices)[number];

export interface ModelInfo {
  /** Folder name of the checkpoint. */
  id: string;
  architecture: string;
  /** Number of weights. */
  parameters: number;
  quantization: "none" | "int8" | "int4";
  /** Longest sequence (prompt and reply together) in tokens. */
  contextLength: number;
  /** sha256 of the weights; adapters name the base they belong to by it. */
  sha256: string;
  hasAdapterSupport: boolean;
}

/** What a loaded adapter is known by; `sha256` is the hash of its adapter_model.safetensors. */
export interface AdapterInfo {
  sha256: string;
  rank: number;
  alpha: number;
  targetModules: readonly string[];
}

/** The queue of waiting requests is full: try again later. Callers answer 503 / "busy". */
export class EngineBusyError extends Error {
  readonly code = "busy";
}

/** The request cannot be served as given (too long, unknown adapter, option out of range). */
export class EngineRequestError extends Error {
  readonly code: "context_length_exceeded" | "unknown_adapter" | "invalid_option";
  constructor(code: EngineRequestError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** The runtime cannot use the device that was asked for; the message is one sentence that says why and what it offers. */
export class DeviceError extends Error {
  readonly code = "device_unavailable";
}

/** A file of a checkpoint or adapter is damaged or does not fit; the message names file and tensor. */
export class CheckpointError extends Error {
  readonly code = "bad_checkpoint";
}

/** A language model that is being served: sequences in, sampled tokens out, adapters resident beside it. */
export interface Engine {
  readonly model: ModelInfo;
  /** Tokens of a conversation ready for the next assistant turn. User text never becomes a control token. */
  renderChat(messages: readonly ChatMessage[]): number[];
  countTokens(text: string): number;
  decode(tokens: readonly number[]): string;
  /**
   * Streams a reply. The iterator's return value is the whole result; an abort ends it at the next token with
   * `finishReason: "cancelled"` and what was said so far.
   * @throws EngineBusyError, EngineRequestError before the first chunk.
   */
  generate(
    request: GenerationRequest,
    options?: { signal?: AbortSignal },
  ): AsyncGenerator<GenerationChunk, GenerationResult, void>;
  /**
   * Stages a PEFT folder beside the base weights. Idempotent by hash.
   * @throws CheckpointError, also for weights that are resident with another scaling
   */
  loadAdapter(folder: string): Promise<AdapterInfo>;
  /** Drops an adapter once the replies that use it have ended. */
  unloadAdapter(sha256: string): Promise<void>;
  /** Log-probs (nats, temperature 1) of `tokens[i]` given all before, for i >= from. For the probe after a swap. */
  score(sequence: { tokens: readonly number[]; from: number; adapter: string | null }): Promise<number[]>;
  stats(): { active: number; queued: number; residentAdapters: string[]; tokensGenerated: number };
  close(): Promise<void>;
}

export const defaultSampling: Omit<SamplingOptions, "seed"> = {
  temperature: 0.5,
  topK: 0,
  topP: 0.95,
  repetitionPenalty: 1,
};
