/**
 * An adapter folder becomes what the step graph takes. In slices, on the caller's thread: starting another one and
 * loading its code takes the processor longer than reading an adapter does, and the streams notice.
 */
import { join } from "node:path";
import { readArchitecture } from "../checkpoint/config.ts";
import { hashingFile } from "../checkpoint/file-hash.ts";
import { inSlices, longRest } from "../in-slices.ts";
import { scalingOf } from "../lora/adapter.ts";
import { readingPeftAdapter } from "../lora/peft.ts";
import type { AdapterInfo } from "../types.ts";
import { flatteningAdapter, type StackableAdapter } from "./adapter-stack.ts";

export interface ReadAdapter {
  info: AdapterInfo;
  /** What B A x is multiplied by; the hash, which is the weights file's, does not tell. */
  scaling: number;
  /** Its matrices' buffer belongs to the receiver. */
  adapter: StackableAdapter;
}

/** @throws CheckpointError naming the file, and the tensor that is missing, superfluous or of another shape */
export async function readAdapter(modelDir: string, folder: string): Promise<ReadAdapter> {
  const architecture = readArchitecture(modelDir);
  const adapter = await inSlices(readingPeftAdapter(folder, architecture), longRest);
  const sha256 = await inSlices(hashingFile(join(folder, "adapter_model.safetensors")), longRest);
  const { rank, alpha, targetModules } = adapter.shape;
  const scaling = scalingOf(adapter.shape);
  const matrices = await inSlices(flatteningAdapter(adapter, architecture.linearModules), longRest);
  return { info: { sha256, rank, alpha, targetModules }, scaling, adapter: { sha256, rank, matrices } };
}
