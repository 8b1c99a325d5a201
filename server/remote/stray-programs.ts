import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { stopStrayTrainer } from "../training/stray-trainer.ts";

const killAfterMs = 10_000;

/** Ends the programs that a killed worker left running on the files in its folder, one folder a job. */
export async function stopStrayPrograms(scratchDir: string): Promise<void> {
  for (const job of await readdir(scratchDir)) {
    const outputDir = join(scratchDir, job, "output");
    // Their command line names a file of this folder.
    await stopStrayTrainer(join(outputDir, "trainer.pid"), outputDir, killAfterMs);
  }
}
