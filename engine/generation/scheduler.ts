/**
 * Continuous batching (Yu et al. 2022, "Orca"): replies join and leave the running batch at every step. A long prompt
 * is read in chunks between the steps of the others, who wait for one chunk at most.
 */
import {
  EngineBusyError,
  EngineRequestError,
  type GenerationChunk,
  type GenerationRequest,
  type GenerationResult,
} from "../types.ts";
import type { StackableAdapter } from "./adapter-stack.ts";
import type { KvCache } from "./kv-cache.ts";
import { Reply, type ReplyVocabulary } from "./reply.ts";
import { checkRequest, checkTokens } from "./request-checks.ts";
import { ResidentAdapters } from "./resident-adapters.ts";
import { Sampler } from "./sampler.ts";
import { ScoringJob } from "./scoring.ts";
import type { StepModel } from "./step-model.ts";

export type ReplyEvent = { id: number } & (
  | { chunk: GenerationChunk }
  | { result: GenerationResult }
  | { error: unknown }
);

export interface SchedulerOptions {
  /** Replies in work at a time. */
  maxConcurrent: number;
  /** Requests that may wait for a place. */
  maxQueue: number;
  /** Hears of everything that happens to a reply, in order. */
  emit: (event: ReplyEvent) => void;
}

interface Turn {
  id: number;
  reply: Reply;
  adapter: StackableAdapter | null;
  /** Tokens that the cache holds. */
  cached: number;
  isCancelled: boolean;
}

/** Prompt tokens read at once while others are speaking, and while nobody is. */
const chunkBeside = 64;
const chunkAlone = 256;

export class Scheduler {
  readonly adapters = new ResidentAdapters();
  tokensGenerated = 0;
  readonly #model: StepModel;
  readonly #vocabulary: ReplyVocabulary;
  readonly #options: SchedulerOptions;
  readonly #sampler: Sampler;
  readonly #cache: KvCache;
  #waiting: Turn[] = [];
  /** The turn whose prompt is being read; its slot is the one after those of the speaking. */
  #reading: Turn | null = null;
  /** In slots 0, 1, ... */
  readonly #speaking: Turn[] = [];
  readonly #scoring: { job: ScoringJob; resolve: (logProbs: number[]) => void; reject: (cause: unknown) => void }[] =
    [];

  constructor(model: StepModel, vocabulary: ReplyVocabulary, options: SchedulerOptions) {
    this.#model = model;
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.#sampler = new Sampler(model.architecture.vocabularySize);
    this.#cache = model.createCache();
  }

  get active(): number {
    return this.#speaking.length + (this.#reading === null ? 0 : 1);
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** Lets a request wait for its place in the batch. @throws EngineBusyError, EngineRequestError */
  submit(id: number, request: GenerationRequest): void {
    const { maxConcurrent, maxQueue } = this.#options;
    checkRequest(request, this.#model.architecture);
    if (this.active + this.queued >= maxConcurrent + maxQueue) {
      throw new EngineBusyError(`${this.active} replies are being written and ${this.queued} wait; try again later`);
    }
    const adapter = this.adapters.take(request.adapter);
    const room = this.#model.architecture.contextLength - request.promptTokens.length;
    const reply = new Reply(request, this.#vocabulary, Math.min(request.maxTokens, room));
    this.#waiting.push({ id, reply, adapter, cached: 0, isCancelled: false });
  }

  /** Ends a reply before its next token; one that has ended is left alone. */
  cancel(id: number): void {
    for (const turn of this.#turns()) if (turn.id === id) turn.isCancelled = true;
  }

  /** Log-probs of tokens[from], tokens[from + 1], ... @throws EngineRequestError */
  score(tokens: readonly number[], from: number, adapter: string | null): Promise<number[]> {
    const { contextLength } = this.#model.architecture;
    checkTokens(tokens, this.#model.architecture);
    if (tokens.length > contextLength) {
      throw new EngineRequestError("context_length_exceeded", `${tokens.length} tokens exceed ${contextLength}`);
    }
    if (!Number.isInteger(from) || from < 1 || from >= tokens.length) {
      throw new EngineRequestError("invalid_option", `from must lie between 1 and ${tokens.length - 1}, not ${from}`);
    }
    const job = new ScoringJob(this.#model, tokens, from, this.adapters.take(adapter));
    return new Promise((resolve, reject) => this.#scoring.push({ job, resolve, reject }));
  }

  /** One step of all that is in work. Returns false, with all memory given back, when there is nothing left to do. */
  async advance(): Promise<boolean> {
    for (const turn of this.#turns()) if (turn.isCancelled) this.#end(turn, turn.reply.end("cancelled"));
    if (this.#reading === null && this.#speaking.length < this.#options.maxConcurrent) {
      this.#reading = this.#waiting.shift() ?? null;
    }
    if (this.#reading !== null) await this.#attempt([this.#reading], () => this.#read());
    if (this.#speaking.length > 0) await this.#attempt([...this.#speaking], () => this.#speak());
    if (this.#scoring.length > 0) await this.#score();
    if (this.active + this.queued + this.#scoring.length > 0) return true;
    this.#cache.clear();
    this.#model.rest();
    return false;
  }

  /** Reads the next chunk of a prompt; its end brings the reply's first token. */
  async #read(): Promise<void> {
    const turn = this.#reading;
    if (turn === null) return;
    const { promptTokens } = turn.reply.request;
    const slot = this.#speaking.length;
    const size = slot === 0 ? chunkAlone : chunkBeside;
    const tokens = promptTokens.slice(turn.cached, turn.cached + size);
    const isLast = turn.cached + tokens.length === promptTokens.length;
    this.#cache.reserve(slot + 1, promptTokens.length);
    const row = { tokens, start: turn.cached, adapter: turn.adapter };
    const logits = await this.#model.step(this.#cache, slot, [row], isLast ? [tokens.length - 1] : []);
    turn.cached += tokens.length;
    if (!isLast) return;
    this.#reading = null;
    this.#speaking.push(turn);
    this.#advanceReply(turn, logits);
  }

  /** One token for each of the speaking. */
  async #speak(): Promise<void> {
    const turns = [...this.#speaking];
    const longest = Math.max(...turns.map(({ cached }) => cached));
    this.#cache.reserve(turns.length, longest + 1);
    const rows = turns.map(({ reply, cached, adapter }) => ({ tokens: [reply.lastToken], start: cached, adapter }));
    const logits = await this.#model.step(this.#cache, 0, rows, [...turns.keys()]);
    for (const turn of turns) turn.cached += 1;
    const { vocabularySize } = this.#model.architecture;
    turns.forEach((turn, row) => {
      this.#advanceReply(turn, logits.subarray(row * vocabularySize, (row + 1) * vocabularySize));
    });
  }

  #advanceReply(turn: Turn, logits: Float32Array): void {
    try {
      const chunk = turn.reply.advance(this.#sampler, logits);
      this.tokensGenerated += 1;
      this.#options.emit({ id: turn.id, chunk });
      if (turn.reply.finishReason !== null) this.#end(turn, "");
    } catch (error) {
      this.#fail(turn, error);
    }
  }

  async #score(): Promise<void> {
    const [first] = this.#scoring;
    if (first === undefined) return;
    const { job, resolve, reject } = first;
    try {
      if (!(await job.advance())) return;
      resolve(job.logProbs);
    } catch (cause) {
      reject(cause);
    }
    this.#scoring.shift();
    this.adapters.release(job.adapter);
  }

  /** A step that fails ends the replies it was for, and only them. */
  async #attempt(turns: readonly Turn[], step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      for (const turn of turns) this.#fail(turn, error);
    }
  }

  #fail(turn: Turn, error: unknown): void {
    this.#leave(turn);
    this.#options.emit({ id: turn.id, error });
  }

  #end(turn: Turn, rest: string): void {
    if (rest !== "") this.#options.emit({ id: turn.id, chunk: { tokens: [], logProbs: [], text: rest } });
    this.#leave(turn);
    this.#options.emit({ id: turn.id, result: turn.reply.result() });
  }

  /** Takes a turn out of wherever it is and closes the gap in the cache. */
  #leave(turn: Turn): void {
    this.adapters.release(turn.adapter);
    this.#waiting = this.#waiting.filter((other) => other !== turn);
    if (this.#reading === turn) this.#reading = null;
    const slot = this.#speaking.indexOf(turn);
    const last = this.#speaking.length - 1;
    const lastTurn = this.#speaking[last];
    if (slot < 0 || lastTurn === undefined) return;
    if (slot < last) this.#cache.move(last, slot, lastTurn.cached);
    if (this.#reading !== null) this.#cache.move(last + 1, last, this.#reading.cached);
    this.#speaking[slot] = lastTurn;
    this.#speaking.pop();
  }

  #turns(): Turn[] {
    return [...this.#speaking, ...(this.#reading === null ? [] : [this.#reading]), ...this.#waiting];
  }
}
