/**
 * Has adapter folders read in a thread of their own, so that no stream waits for it. The thread stays: starting one and
 * loading its code costs the processor ten times what reading an adapter does, and streams notice.
 */
import { Worker } from "node:worker_threads";
import { fromWire, type WireError } from "./messages.ts";
import type { ReadAdapter } from "./read-adapter.ts";

export interface ReaderQuestion {
  id: number;
  folder: string;
}

export type ReaderAnswer = { id: number } & ({ read: ReadAdapter } | { error: WireError });

interface Waiting {
  resolve: (read: ReadAdapter) => void;
  reject: (cause: unknown) => void;
}

export class AdapterReader {
  readonly #modelDir: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #nextId = 0;

  constructor(modelDir: string) {
    this.#modelDir = modelDir;
  }

  /** @throws CheckpointError naming the file, and the tensor that is missing, superfluous or of another shape */
  read(folder: string): Promise<ReadAdapter> {
    this.#worker ??= this.#start();
    const id = this.#nextId++;
    const question: ReaderQuestion = { id, folder };
    this.#worker.postMessage(question);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const workerData = { modelDir: this.#modelDir };
    const worker = new Worker(new URL("./adapter-reader-thread.ts", import.meta.url), { workerData });
    worker.on("message", (answer: ReaderAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("read" in answer) waiting?.resolve(answer.read);
      else waiting?.reject(fromWire(answer.error));
    });
    const ended = (cause: unknown) => {
      // The next adapter gets a new thread.
      if (this.#worker === worker) this.#worker = null;
      for (const { reject } of this.#waiting.values()) reject(cause);
      this.#waiting.clear();
    };
    worker.on("error", ended);
    worker.on("exit", (code) => ended(new Error(`the thread that reads adapters ended with code ${code}`)));
    return worker;
  }
}
