/** `npm run bench -- --only lora`: LoRA training beside PyTorch with PEFT, and its memory by tokens a step. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../../test/support/running-server.ts";
import { openPytorch } from "../pytorch/install.ts";
import { writeRandomLlama } from "../random-llama.ts";
import { writeRandomQuantized } from "../random-quantized.ts";
import type { Figure } from "../report.ts";
import { comparePair, measureAlone, type TrainingSizes } from "./compare.ts";
import { ourProgram, pytorchProgram } from "./contender.ts";
import { writeJob } from "./job.ts";
import { measureMemory } from "./memory.ts";

const threads = Math.min(2, availableParallelism());
const embedded = join(projectFolder, "models", "rejoinder-tiny");

async function measureModel(
  folder: string,
  model: string,
  python: string | null,
  sizes: TrainingSizes,
): Promise<Figure[]> {
  mkdirSync(folder, { recursive: true });
  const job = writeJob(folder, model, sizes, { threads });
  const ours = ourProgram(job, "fp32");
  const rounded = ourProgram(job, "int8");
  if (python === null) return [...(await measureAlone(ours, sizes)), ...(await measureAlone(rounded, sizes))];
  // Where a processor has no instructions for bfloat16, a step of billions takes PyTorch minutes: one row, one turn.
  const short = { ...sizes, rows: 1, rounds: 1, stepsARound: 1 };
  mkdirSync(join(folder, "short"));
  const shortJob = writeJob(join(folder, "short"), model, short, { threads });
  // In pairs, because not all of them fit into memory at once.
  return [
    ...(await comparePair(ours, pytorchProgram(python, job, "fp32"), { ...sizes, target: 1.3, sameLoss: 1e-3 })),
    ...(await comparePair(ourProgram(shortJob, "fp32"), pytorchProgram(python, shortJob, "bf16"), {
      ...short,
      target: 1,
    })),
    ...(await comparePair(rounded, pytorchProgram(python, job, "fp32"), { ...sizes, target: null })),
  ];
}

export async function measureLoraTraining(): Promise<Figure[]> {
  const python = openPytorch();
  if (python === null) console.error("PyTorch is not to be had, so our training is measured alone.");
  const scratch = mkdtempSync(join(tmpdir(), "rejoinder-bench-"));
  try {
    const small = { model: "embedded", rows: 16, promptTokens: 64, replyTokens: 64, rounds: 5, stepsARound: 3 };
    const large = { model: "1.1B", rows: 4, promptTokens: 64, replyTokens: 64, rounds: 3, stepsARound: 1 };
    const llama = join(scratch, "llama-1.1b");
    writeRandomLlama(llama);
    writeRandomQuantized(llama, "int8");
    return [
      ...(await measureModel(join(scratch, "small"), embedded, python, small)),
      ...(await measureModel(join(scratch, "large"), llama, python, large)),
      ...(await measureMemory(scratch, embedded)),
    ];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
