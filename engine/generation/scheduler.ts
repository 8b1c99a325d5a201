/**
 * Continuous batching (Yu et al. 2022, "Orca"): replies join and leave the running batch at every step. Prompts are read
 * in chunks between the steps of those who speak, who wait for one chunk at most.
 */
import {
  EngineBusyError,
  EngineRequestError,
  type GenerationChunk,
  type GenerationRequest,
  type GenerationResult,
} from "../types.ts";
import type { StackableAdapter } from "./adapter-stack.ts";
import { Batch } from "./batch.ts";
import { type Goal, meansTo } from "./goal.ts";
import { PrefixStore } from "./prefix-store.ts";
import { ReadingOrder } from "./reading-order.ts";
import { Reply, type ReplyVocabulary } from "./reply.ts";
import { checkRequest, checkTokens } from "./request-checks.ts";
import { ResidentAdapters } from "./resident-adapters.ts";
import { Sampler } from "./sampler.ts";
import { ScoringJob } from "./scoring.ts";
import type { Prediction, StepModel, StepRow } from "./step-model.ts";
import { type Turn, unread } from "./turn.ts";

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
  /** Bytes of keys and values kept for later turns; 0 keeps none. */
  prefixBytes: number;
  goal: Goal;
  /** Hears of everything that happens to a reply, in order. */
  emit: (event: ReplyEvent) => void;
}

/** Tokens read at once while nobody is speaking, at least. */
const chunkAlone = 256;

export class Scheduler {
  readonly #adapters: ResidentAdapters;
  tokensGenerated = 0;
  readonly #model: StepModel;
  readonly #vocabulary: ReplyVocabulary;
  readonly #options: SchedulerOptions;
  readonly #sampler: Sampler;
  readonly #batch: Batch;
  readonly #prefixes: PrefixStore;
  #waiting: Turn[] = [];
  readonly #order = new ReadingOrder();
  #scoredLast = false;
  readonly #scoring: { job: ScoringJob; resolve: (logProbs: number[]) => void; reject: (cause: unknown) => void }[] =
    [];

  constructor(model: StepModel, vocabulary: ReplyVocabulary, options: SchedulerOptions) {
    this.#model = model;
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.#sampler = new Sampler();
    this.#adapters = new ResidentAdapters((adapter) => model.unstack(adapter));
    this.#prefixes = new PrefixStore(options.prefixBytes);
    this.#batch = new Batch(model.createCache(), this.#prefixes);
  }

  get active(): number {
    return this.#batch.size;
  }

  /** Whether the next step has nothing to read and nothing to score. */
  get onlySpeaks(): boolean {
    const mayJoin = this.queued > 0 && this.active < this.#options.maxConcurrent;
    return !mayJoin && this.#batch.reading.length + this.#scoring.length === 0;
  }

  /** Bytes that keys and values of those in work take. */
  get cacheBytes(): number {
    return this.#batch.cache.bytes;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** Tokens that may be read at once now, of prompts and of a sequence to be scored. */
  get #chunk(): { read: number; scored: number } {
    const { chunkBeside, scoredBeside } = meansTo[this.#options.goal];
    if (this.#batch.speaking.length > 0) return { read: chunkBeside, scored: scoredBeside };
    const alone = Math.max(chunkAlone, chunkBeside);
    return { read: alone, scored: alone };
  }

  /** Lets a request wait for its place in the batch. @throws EngineBusyError, EngineRequestError */
  submit(id: number, request: GenerationRequest): void {
    const { maxConcurrent, maxQueue } = this.#options;
    checkRequest(request, this.#model.architecture);
    if (this.active + this.queued >= maxConcurrent + maxQueue) {
      throw new EngineBusyError(`${this.active} replies are being written and ${this.queued} wait; try again later`);
    }
    const adapter = this.#adapters.take(request.adapter);
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
    const job = new ScoringJob(this.#model, tokens, from, this.#adapters.take(adapter));
    return new Promise((resolve, reject) => this.#scoring.push({ job, resolve, reject }));
  }

  /** Resolves when replies can use the adapter; the speaking go on meanwhile. Idempotent by hash. */
  async addAdapter(adapter: StackableAdapter): Promise<void> {
    if (!this.#adapters.keep(adapter.sha256)) this.#adapters.add(await this.#model.stack(adapter));
  }

  /** Resolves when the last reply that uses the adapter has ended. */
  async removeAdapter(sha256: string): Promise<void> {
    await this.#adapters.remove(sha256);
    this.#prefixes.forget(sha256);
  }

  /**
   * One step of all that is in work. Returns false, with all memory but the kept prefixes given back, when there is
   * nothing left to do.
   */
  async advance(): Promise<boolean> {
    for (const turn of this.#turns()) if (turn.isCancelled) this.#end(turn, turn.reply.end("cancelled"));
    while (this.active < this.#options.maxConcurrent) {
      const turn = this.#waiting.shift();
      if (turn === undefined) break;
      this.#batch.join(turn);
    }
    const { reading } = this.#batch;
    // The speaking wait for one chunk at most, of a prompt or of a sequence to be scored.
    const mayScore = this.#scoring.length > 0 && (reading.length === 0 || !this.#scoredLast);
    if (mayScore) await this.#score();
    else if (reading.length > 0) {
      const turns = this.#readers(reading);
      await this.#attempt(turns, () => this.#read(turns));
    }
    this.#scoredLast = mayScore;
    const { speaking } = this.#batch;
    if (speaking.length > 0) await this.#attempt(speaking, () => this.#speak(speaking));
    if (this.active + this.queued + this.#scoring.length > 0) return true;
    this.#batch.cache.clear();
    return false;
  }

  /** Who reads in the next step: the next in order, and those behind it while there is room for all they have to read. */
  #readers(reading: readonly Turn[]): Turn[] {
    const first = this.#order.next(reading);
    const turns = [first];
    let longest = unread(first);
    // Rows of one step lie in neighbouring slots and cost what the longest does.
    for (const turn of reading.slice(reading.indexOf(first) + 1)) {
      longest = Math.max(longest, unread(turn));
      if ((turns.length + 1) * longest > this.#chunk.read) break;
      turns.push(turn);
    }
    return turns;
  }

  /** Reads the next chunk of a prompt, or several short prompts whole; a prompt's end brings its reply's first token. */
  async #read(turns: readonly Turn[]): Promise<void> {
    const { cache } = this.#batch;
    for (const turn of turns) if (turn.cached === 0) this.#batch.begin(turn);
    const rows = turns.map(({ reply, cached, adapter }) => {
      return { tokens: reply.request.promptTokens.slice(cached, cached + this.#chunk.read), start: cached, adapter };
    });
    const time = Math.max(...rows.map(({ tokens }) => tokens.length));
    const ends = turns.flatMap((turn, row) => {
      const { length } = (rows[row] as StepRow).tokens;
      return unread(turn) === length ? [{ turn, at: row * time + length - 1 }] : [];
    });
    const places = ends.map(({ turn, at }) => ({ at, sampling: turn.reply.request.sampling }));
    const predictions = await this.#model.predict(cache, this.#batch.slotOf(turns[0] as Turn), rows, places);
    turns.forEach((turn, row) => {
      turn.cached += (rows[row] as StepRow).tokens.length;
    });
    for (const { turn } of ends) this.#batch.speak(turn);
    for (const [i, { turn }] of ends.entries()) this.#advanceReply(turn, predictions[i] as Prediction);
  }

  /** One token for each of the speaking. */
  async #speak(turns: readonly Turn[]): Promise<void> {
    const { cache } = this.#batch;
    const longest = Math.max(...turns.map(({ cached }) => cached));
    cache.reserve(turns.length, longest + 1);
    const rows = turns.map(({ reply, cached, adapter }) => ({ tokens: [reply.lastToken], start: cached, adapter }));
    const places = turns.map(({ reply }, at) => ({ at, sampling: reply.request.sampling }));
    const predictions = await this.#model.predict(cache, 0, rows, places);
    for (const turn of turns) turn.cached += 1;
    turns.forEach((turn, row) => {
      this.#advanceReply(turn, predictions[row] as Prediction);
    });
  }

  #advanceReply(turn: Turn, prediction: Prediction): void {
    try {
      const chunk = turn.reply.advance(this.#sampler, prediction);
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
      if (!(await job.advance(this.#chunk.scored))) return;
      resolve(job.logProbs);
    } catch (cause) {
      reject(cause);
    }
    this.#scoring.shift();
    this.#adapters.release(job.adapter);
  }

  #turns(): Turn[] {
    return [...this.#batch.speaking, ...this.#batch.reading, ...this.#waiting];
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

  /** Takes a turn out of wherever it is. */
  #leave(turn: Turn): void {
    this.#adapters.release(turn.adapter);
    this.#waiting = this.#waiting.filter((other) => other !== turn);
    this.#batch.leave(turn);
  }
}
