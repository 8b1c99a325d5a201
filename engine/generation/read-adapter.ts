/**
 * An adapter folder becomes what the step graph takes. In slices, on the caller's thread: starting another one and
 * loading its code takes the processor longer than reading an adapter does, and the streams notice.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { readArchitecture } from "../checkpoint/config.ts";
import { inSlices } from "../in-slices.ts";
import { readingPeftAdapter } from "../lora/peft.ts";
import type { AdapterInfo } from "../types.ts";
import { flatteningAdapter, type StackableAdapter } from "./adapter-stack.ts";

export interface ReadAdapter {
  info: AdapterInfo;
  /** Its matrices' buffer belongs to the receiver. */
  adapter: StackableAdapter;
}

/** @throws CheckpointError naming the file, and the tensor that is missing, superfluous or of another shape */
export async function readAdapter(modelDir: string, folder: string): Promise<ReadAdapter> {
  const architecture = readArchitecture(modelDir);
  const adapter = await inSlices(readingPeftAdapter(folder, architecture));
  const hash = createHash("sha256");
  for await (const piece of createReadStream(join(folder, "adapter_model.safetensors"))) hash.update(piece);
  const sha256 = hash.digest("hex");
  const { rank, alpha, targetModules } = adapter.shape;
  const matrices = await inSlices(flatteningAdapter(adapter, architecture.linearModules));
  return { info: { sha256, rank, alpha, targetModules }, adapter: { sha256, rank, matrices } };
}
