/** An engine that serves a model as sample-model.ts writes it, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine } from "../../engine/index.ts";
import type { Engine } from "../../engine/types.ts";
import { writeSampleModel } from "./sample-model.ts";

export interface SampleEngine {
  engine: Engine;
  modelDir: string;
  /** Ends the engine and removes its model. */
  close(): Promise<void>;
}

export async function openSampleEngine(): Promise<SampleEngine> {
  const folder = mkdtempSync(join(tmpdir(), "rejoinder-model-"));
  const modelDir = join(folder, "sample");
  writeSampleModel(modelDir);
  const engine = await createEngine({ modelDir, threads: 1, maxConcurrent: 4, maxQueue: 4 });
  return {
    engine,
    modelDir,
    async close() {
      await engine.close();
      rmSync(folder, { recursive: true });
    },
  };
}
