/** The engine as its callers see it: a proxy for the thread that does the work. */
import type { Worker } from "node:worker_threads";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import {
  type AdapterInfo,
  type ChatMessage,
  CheckpointError,
  type Engine,
  type GenerationChunk,
  type GenerationRequest,
  type GenerationResult,
  type ModelInfo,
} from "../types.ts";
import { type Counts, type FromWorker, fromWire, type ToWorker } from "./messages.ts";
import { readAdapter } from "./read-adapter.ts";
import { ReplyStream } from "./reply-stream.ts";

type ReplyItem = { chunk: GenerationChunk } | { result: GenerationResult };

interface Question {
  resolve: (logProbs: number[]) => void;
  reject: (cause: unknown) => void;
}

/** A message without the id that the client gives it. */
type Unnumbered<T> = T extends { id: number } ? Omit<T, "id"> : never;

export class EngineClient implements Engine {
  readonly model: ModelInfo;
  readonly #worker: Worker;
  readonly #modelDir: string;
  readonly #tokenizer: Tokenizer;
  readonly #replies = new Map<number, ReplyStream<ReplyItem>>();
  readonly #questions = new Map<number, Question>();
  /** Scaling by sha256 of those that are resident. */
  readonly #adapters = new Map<string, number>();
  #counts: Counts = { active: 0, queued: 0, tokensGenerated: 0 };
  #nextId = 0;
  /** Why nothing can be asked of the thread any more. */
  #ended: Error | null = null;

  private constructor(
    worker: Worker,
    model: ModelInfo,
    modelDir: string,
    tokenizer: Tokenizer,
    onFailure: (cause: Error) => void,
  ) {
    this.model = model;
    this.#worker = worker;
    this.#modelDir = modelDir;
    this.#tokenizer = tokenizer;
    worker.on("message", (message: FromWorker) => this.#hear(message));
    const fail = (cause: Error) => {
      if (this.#ended !== null) return;
      this.#end(cause);
      onFailure(cause);
    };
    worker.on("error", (cause) => fail(new Error(`the engine's thread failed: ${cause.message}`, { cause })));
    worker.on("exit", (code) => fail(new Error(`the engine's thread ended with code ${code}`)));
  }

  /**
   * Waits until the thread is ready.
   * @param onFailure called once should it end by itself later
   * @throws CheckpointError when the checkpoint cannot be used
   */
  static async attach(
    worker: Worker,
    modelDir: string,
    tokenizer: Tokenizer,
    onFailure: (cause: Error) => void = () => {},
  ): Promise<EngineClient> {
    const model = await new Promise<ModelInfo>((resolve, reject) => {
      const ended = (code: number) => reject(new Error(`the engine's thread ended with code ${code}`));
      worker.once("error", reject).once("exit", ended);
      worker.once("message", (message: FromWorker) => {
        worker.off("error", reject).off("exit", ended);
        if (message.type === "ready") resolve(message.model);
        else if (message.type === "unusable") reject(fromWire(message.error));
        else reject(new Error(`the engine's thread began with ${message.type}`));
      });
    });
    return new EngineClient(worker, model, modelDir, tokenizer, onFailure);
  }

  renderChat(messages: readonly ChatMessage[]): number[] {
    return this.#tokenizer.renderChat(messages);
  }

  countTokens(text: string): number {
    return this.#tokenizer.encode(text).length;
  }

  decode(tokens: readonly number[]): string {
    return this.#tokenizer.decode(tokens);
  }

  async *generate(
    request: GenerationRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerationChunk, GenerationResult, void> {
    if (this.#ended !== null) throw this.#ended;
    if (signal?.aborted) return { tokens: [], logProbs: [], text: "", finishReason: "cancelled" };
    const id = this.#nextId++;
    const reply = new ReplyStream<ReplyItem>();
    const cancel = () => this.#tell({ type: "cancel", id });
    this.#replies.set(id, reply);
    signal?.addEventListener("abort", cancel, { once: true });
    let hasEnded = false;
    try {
      this.#tell({ type: "generate", id, request });
      for (;;) {
        const item = await reply.next();
        if ("result" in item) {
          hasEnded = true;
          return item.result;
        }
        yield item.chunk;
      }
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#replies.delete(id);
      // A reader that turned away leaves nobody to generate for.
      if (!hasEnded) cancel();
    }
  }

  async loadAdapter(folder: string): Promise<AdapterInfo> {
    if (this.#ended !== null) throw this.#ended;
    const { info, scaling, adapter } = await readAdapter(this.#modelDir, folder);
    const resident = this.#adapters.get(info.sha256);
    if (resident !== undefined && resident !== scaling) {
      throw new CheckpointError(
        `${folder}: adapter_config.json scales by ${scaling} the weights that are loaded already scaled by ${resident}`,
      );
    }
    await this.#ask({ type: "addAdapter", adapter }, [adapter.matrices.buffer as ArrayBuffer]);
    this.#adapters.set(info.sha256, scaling);
    return info;
  }

  async unloadAdapter(sha256: string): Promise<void> {
    this.#adapters.delete(sha256);
    await this.#ask({ type: "removeAdapter", sha256 });
  }

  score({ tokens, from, adapter }: Parameters<Engine["score"]>[0]): Promise<number[]> {
    return this.#ask({ type: "score", tokens, from, adapter });
  }

  stats(): ReturnType<Engine["stats"]> {
    return { ...this.#counts, residentAdapters: [...this.#adapters.keys()] };
  }

  async close(): Promise<void> {
    if (this.#ended !== null) return;
    const gone = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#tell({ type: "close" });
    this.#end(new Error("the engine was closed"));
    await gone;
  }

  #tell(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (this.#ended === null) this.#worker.postMessage(message, transfer);
  }

  #ask(question: Unnumbered<ToWorker>, transfer: ArrayBuffer[] = []): Promise<number[]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      this.#tell({ ...question, id } as ToWorker, transfer);
    });
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "events":
        this.#counts = message.counts;
        for (const event of message.events) {
          const reply = this.#replies.get(event.id);
          if ("error" in event) reply?.fail(fromWire(event.error));
          else reply?.push(event);
        }
        break;
      case "answer":
        this.#questions.get(message.id)?.resolve(message.logProbs ?? []);
        this.#questions.delete(message.id);
        break;
      case "refusal":
        this.#replies.get(message.id)?.fail(fromWire(message.error));
        this.#questions.get(message.id)?.reject(fromWire(message.error));
        this.#questions.delete(message.id);
        break;
    }
  }

  /** Whoever waits learns why nothing more comes. */
  #end(cause: Error): void {
    this.#ended = cause;
    this.#counts = { ...this.#counts, active: 0, queued: 0 };
    for (const reply of this.#replies.values()) reply.fail(cause);
    for (const { reject } of this.#questions.values()) reject(cause);
    this.#questions.clear();
  }
}
