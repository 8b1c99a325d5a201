import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readArchitecture } from "../checkpoint/config.ts";
import { readPeftAdapter } from "../lora/peft.ts";
import type { AdapterInfo } from "../types.ts";
import { flattenAdapter, type StackableAdapter } from "./adapter-stack.ts";

export interface ReadAdapter {
  info: AdapterInfo;
  /** Its matrices' buffer belongs to the receiver. */
  adapter: StackableAdapter;
}

/** @throws CheckpointError naming the file, and the tensor that is missing, superfluous or of another shape */
export function readAdapter(modelDir: string, folder: string): ReadAdapter {
  const architecture = readArchitecture(modelDir);
  const adapter = readPeftAdapter(folder, architecture);
  const file = readFileSync(join(folder, "adapter_model.safetensors"));
  const sha256 = createHash("sha256").update(file).digest("hex");
  const { rank, alpha, targetModules } = adapter.shape;
  const matrices = flattenAdapter(adapter, architecture.linearModules);
  return { info: { sha256, rank, alpha, targetModules }, adapter: { sha256, rank, matrices } };
}
