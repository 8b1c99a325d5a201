/** The thread behind `AdapterReader`: reads, checks and lays out adapter folders, one after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { ReaderAnswer, ReaderQuestion } from "./adapter-reader.ts";
import { toWire } from "./messages.ts";
import { readAdapter } from "./read-adapter.ts";

const { modelDir } = workerData as { modelDir: string };

parentPort?.on("message", ({ id, folder }: ReaderQuestion) => {
  try {
    const read = readAdapter(modelDir, folder);
    parentPort?.postMessage({ id, read } satisfies ReaderAnswer, [read.adapter.matrices.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort?.postMessage({ id, error: toWire(error) } satisfies ReaderAnswer);
  }
});
