/** `npm run bench -- --only compare`: our engine beside llama.cpp, at 1.1 billion weights and with the embedded model. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { openBaseModel } from "../engine/open-base-model.ts";
import { projectFolder } from "../test/support/running-server.ts";
import { measureAdapterCost } from "./adapter-cost.ts";
import { bandwidthShare } from "./bandwidth-share.ts";
import { compare } from "./comparison.ts";
import { llamaCppContender } from "./llama-cpp/contender.ts";
import { checkpointRows, convertToGguf, type GgufPrecision, type RowSource } from "./llama-cpp/convert.ts";
import { openLlamaCpp } from "./llama-cpp/install.ts";
import { measureLoading } from "./loading.ts";
import { contenderOf, ourContender } from "./our-contender.ts";
import { randomLlamaRows, writeRandomLlama } from "./random-llama.ts";
import { writeRandomQuantized } from "./random-quantized.ts";
import type { Figure } from "./report.ts";

const threads = Math.min(2, availableParallelism());
const embedded = join(projectFolder, "models", "rejoinder-tiny");
/** The head has eight bits, as ours does. */
const fourBits: GgufPrecision = { layers: "Q4_0", head: "Q8_0" };
/** The embedded model is served as it is; half precision loses nothing of its bfloat16 weights' size. */
const half: GgufPrecision = { layers: "F16", head: "F16" };

async function opponent(
  gguf: { folder: string; path: string; precision: GgufPrecision; rows: RowSource },
  contextSize: number,
) {
  const llama = await openLlamaCpp(threads);
  if ("missing" in llama) {
    console.error(`llama.cpp is not to be had, so nothing is compared: ${llama.missing}`);
    return null;
  }
  convertToGguf(gguf.folder, gguf.path, gguf.precision, gguf.rows);
  return llamaCppContender(llama, gguf.path, { threads, contextSize });
}

async function compareEmbedded(scratch: string): Promise<Figure[]> {
  const path = join(scratch, "embedded.gguf");
  const theirs = await opponent({ folder: embedded, path, precision: half, rows: checkpointRows(embedded) }, 512);
  const ours = await ourContender(await openBaseModel(embedded), threads);
  const sizes = { model: "embedded", promptTokens: 256, steps: 128, streamSteps: 64, rounds: 5 };
  try {
    return await compare(ours, theirs, { ...sizes, targets: { decode: 10, streams: 10, prefill: 10 } });
  } finally {
    await ours.dispose();
    await theirs?.dispose();
  }
}

async function compareLarge(scratch: string): Promise<Figure[]> {
  const folder = join(scratch, "llama-1.1b");
  writeRandomLlama(folder);
  writeRandomQuantized(folder);
  const { base, model, figures } = await measureLoading(folder, threads);
  const gguf = { folder, path: join(scratch, "large.gguf"), precision: fourBits, rows: randomLlamaRows };
  const theirs = await opponent(gguf, 768);
  const sizes = { model: "1.1B", promptTokens: 512, steps: 24, streamSteps: 12, rounds: 3 };
  try {
    const compared = await compare(contenderOf(model), theirs, {
      ...sizes,
      targets: { decode: 2, streams: 3, prefill: 2 },
    });
    figures.push(...compared);
  } finally {
    await theirs?.dispose();
  }
  const rate = figures.find(({ name }) => name === "1.1B decode, ours")?.value ?? 0;
  figures.push(...(await bandwidthShare(base.architecture, rate, threads)));
  figures.push(...(await measureAdapterCost(model, "1.1B", { steps: 12, rounds: 3 })));
  await model.dispose();
  return figures;
}

export async function measureComparison(): Promise<Figure[]> {
  const scratch = mkdtempSync(join(tmpdir(), "rejoinder-bench-"));
  try {
    return [...(await compareEmbedded(scratch)), ...(await compareLarge(scratch))];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
