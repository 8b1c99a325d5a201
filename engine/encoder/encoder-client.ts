/** An encoder in a thread of its own, so that whoever asks it is not blocked while it thinks. */
import { Worker } from "node:worker_threads";
import { CheckpointError } from "../types.ts";
import type { Classification, Encoder, EncoderInfo, EncoderOptions } from "./encoder.ts";

export interface ToEncoder {
  id: number;
  question: "classify" | "embed";
  texts: readonly string[];
  normalize?: boolean;
}

export type FromEncoder =
  | { type: "ready"; info: EncoderInfo }
  | { type: "unusable"; message: string }
  | { type: "answer"; id: number; value: unknown }
  | { type: "failed"; id: number; message: string };

interface Waiting {
  resolve: (value: never) => void;
  reject: (cause: Error) => void;
}

/** Starts an encoder in its own thread. @throws CheckpointError naming the file and what is wrong with it */
export async function createEncoder(options: EncoderOptions): Promise<Encoder> {
  const worker = new Worker(new URL("./encoder-worker.ts", import.meta.url), { workerData: options });
  const waiting = new Map<number, Waiting>();
  let ended: Error | null = null;
  let nextId = 0;
  const info = await new Promise<EncoderInfo>((resolve, reject) => {
    const end = (error: Error) => {
      ended ??= error;
      reject(ended);
      for (const { reject: refuse } of waiting.values()) refuse(ended);
      waiting.clear();
    };
    worker.on("error", (cause) => end(new Error(`the encoder's thread failed: ${cause.message}`, { cause })));
    worker.on("exit", (code) => end(new Error(`the encoder's thread ended with code ${code}`)));
    worker.on("message", (message: FromEncoder) => {
      if (message.type === "ready") return resolve(message.info);
      if (message.type === "unusable") return reject(new CheckpointError(message.message));
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.type === "answer") asked?.resolve(message.value as never);
      else asked?.reject(new Error(message.message));
    });
  });
  function ask<T>(question: Omit<ToEncoder, "id">): Promise<T> {
    if (ended !== null) return Promise.reject(ended);
    return new Promise((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ ...question, id } satisfies ToEncoder);
    });
  }
  return {
    info,
    classify: (texts) => ask<Classification[][]>({ question: "classify", texts }),
    embed: (texts, { normalize } = {}) => ask<Float32Array[]>({ question: "embed", texts, normalize }),
    async dispose() {
      await worker.terminate();
    },
  };
}
