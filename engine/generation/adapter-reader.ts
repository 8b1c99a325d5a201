/** A short-lived thread that reads, checks and lays out an adapter folder, so that no stream waits for it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { readArchitecture } from "../checkpoint/config.ts";
import { readPeftAdapter } from "../lora/peft.ts";
import type { AdapterInfo } from "../types.ts";
import { flattenAdapter, type StackableAdapter } from "./adapter-stack.ts";
import { fromWire, toWire, type WireError } from "./messages.ts";

export interface ReadAdapter {
  info: AdapterInfo;
  /** Its matrices' buffer belongs to the receiver. */
  adapter: StackableAdapter;
}

interface Folders {
  modelDir: string;
  folder: string;
}

type Answer = { read: ReadAdapter } | { error: WireError };

/** @throws CheckpointError naming the file, and the tensor that is missing, superfluous or of another shape */
function readAdapter({ modelDir, folder }: Folders): ReadAdapter {
  const architecture = readArchitecture(modelDir);
  const adapter = readPeftAdapter(folder, architecture);
  const file = readFileSync(join(folder, "adapter_model.safetensors"));
  const sha256 = createHash("sha256").update(file).digest("hex");
  const { rank, alpha, targetModules } = adapter.shape;
  const matrices = flattenAdapter(adapter, architecture.linearModules);
  return { info: { sha256, rank, alpha, targetModules }, adapter: { sha256, rank, matrices } };
}

/** @throws CheckpointError */
export function readAdapterAside(folders: Folders): Promise<ReadAdapter> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { adapterFolders: folders } });
    worker.once("message", (answer: Answer) => {
      if ("read" in answer) resolve(answer.read);
      else reject(fromWire(answer.error));
    });
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`reading ${folders.folder} ended with code ${code}`)));
  });
}

const { adapterFolders } = (workerData ?? {}) as { adapterFolders?: Folders };
if (parentPort !== null && adapterFolders !== undefined) {
  try {
    const read = readAdapter(adapterFolders);
    parentPort.postMessage({ read } satisfies Answer, [read.adapter.matrices.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort.postMessage({ error: toWire(error) } satisfies Answer);
  }
}
