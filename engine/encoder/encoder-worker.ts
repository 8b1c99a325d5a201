/** An encoder's thread: answers one question after another. */
import { parentPort, workerData } from "node:worker_threads";
import { CheckpointError } from "../types.ts";
import { type EncoderOptions, openEncoder } from "./encoder.ts";
import type { FromEncoder, ToEncoder } from "./encoder-client.ts";

const port = parentPort;
if (port === null) throw new Error("this module runs as a worker thread only");
const tell = (message: FromEncoder) => port.postMessage(message);

try {
  const encoder = await openEncoder(workerData as EncoderOptions);
  port.on("message", async ({ id, question, texts, normalize }: ToEncoder) => {
    try {
      if (question === "classify") tell({ type: "answer", id, value: await encoder.classify(texts) });
      else tell({ type: "answer", id, value: await encoder.embed(texts, { normalize }) });
    } catch (error) {
      tell({ type: "failed", id, message: error instanceof Error ? error.message : String(error) });
    }
  });
  tell({ type: "ready", info: encoder.info });
} catch (error) {
  // Damaged files are the caller's to tell apart; anything else ends the thread with its own words.
  if (!(error instanceof CheckpointError)) throw error;
  tell({ type: "unusable", message: error.message });
}
