/**
 * The four doors between the server and what it runs on. Each has an embedded driver that needs no other service;
 * larger installations put another driver behind the same door.
 */
import type { AdapterIdentity, AdapterState, ChatServerEvents, OpsServerEvents } from "./protocol/index.ts";

export type { Store } from "./store/index.ts";

/** Folders that never change once written (adapters, snapshots), by key such as `adapters/2`. */
export interface Artifacts {
  /** Copies a folder in; it appears whole or not at all. @throws when the key is taken. */
  put(key: string, folder: string): Promise<void>;
  /** Path of a local, read-only copy. @throws when there is none. */
  fetch(key: string): Promise<string>;
  has(key: string): Promise<boolean>;
  remove(key: string): Promise<void>;
  /** The one change that an artifact can see: a file of it is replaced, in one step, when data in it must be erased. */
  amend(key: string, file: string, content: string): Promise<void>;
}

export interface Job {
  id: string;
  kind: string;
  payload: unknown;
  /** 1 the first time; more when an earlier worker died or failed. */
  attempt: number;
  /** Keeps this value (JSON) beside the job, where others read it and are told of it; the latest one stands. */
  report(progress: unknown): Promise<void>;
}

/** Work that outlives a request and a process. */
export interface JobQueue {
  /** On disk when the promise resolves. @param options.maxAttempts default 1 */
  add(kind: string, payload: unknown, options?: { maxAttempts?: number; notBefore?: Date }): Promise<string>;
  /**
   * Takes jobs of this kind one at a time, oldest first. A handler that throws fails the attempt; the signal aborts
   * when the job is cancelled or the queue closes.
   */
  process(kind: string, handler: (job: Job, signal: AbortSignal) => Promise<void>): void;
  /** False when the job has already ended or never was. */
  cancel(id: string): Promise<boolean>;
  /** Lets go of running jobs (they are taken up again at the next start) and stops. */
  close(): Promise<void>;
}

/** Tells every connected browser, on whichever server it hangs. */
export interface FanOut {
  chat<Name extends keyof ChatServerEvents>(event: Name, payload: Parameters<ChatServerEvents[Name]>[0]): void;
  ops<Name extends keyof OpsServerEvents>(event: Name, payload: Parameters<OpsServerEvents[Name]>[0]): void;
}

/** No such adapter, or one that may not serve. Callers answer 404 / "unknown_adapter". */
export class UnknownAdapterError extends Error {
  readonly code = "unknown_adapter";
}

/** The right to generate with one adapter: it stays resident until the lease is given back. */
export interface AdapterLease {
  identity: AdapterIdentity;
  /** What the engine knows it by; null is the base model. */
  sha256: string | null;
  /** Give back once; more often does nothing. */
  release(): void;
}

/** What the chat needs of the adapter registry. */
export interface AdapterSource {
  /** What `rejoinder` stands for now. Without any adapter: the base model, named `base`, version 0, its own hash. */
  live(): AdapterIdentity & { state: AdapterState | "base" };
  /** Versions that can be asked for as `rejoinder@N`. */
  versions(): AdapterIdentity[];
  /**
   * Takes the adapter that a model name stands for: `rejoinder` (live, or a canary for its share of conversations),
   * `rejoinder@N` or `base`; staged if need be.
   * @throws UnknownAdapterError
   */
  lease(modelName: string, conversationId?: string): Promise<AdapterLease>;
}
