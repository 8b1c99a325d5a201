/** Peak memory of training by the tokens of a step. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Figure } from "../report.ts";
import { ourProgram, startTraining } from "./contender.ts";
import { writeJob } from "./job.ts";

const tokensAStep = [512, 1024, 2048, 4096] as const;
const row = { promptTokens: 64, replyTokens: 64 };

/** Each size in a process of its own, one thread, three steps. */
export async function measureMemory(scratch: string, model: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  const peaks: number[] = [];
  for (const tokens of tokensAStep) {
    const folder = join(scratch, `memory-${tokens}`);
    mkdirSync(folder);
    const rows = tokens / (row.promptTokens + row.replyTokens);
    const program = ourProgram(writeJob(folder, model, { ...row, rows }, 1), "fp32");
    const contender = await startTraining(program);
    const { peakBytes } = await contender.steps(3);
    await contender.stop();
    peaks.push(peakBytes);
    figures.push({
      name: `embedded LoRA, peak memory at ${tokens} tokens`,
      value: peakBytes / 2 ** 20,
      unit: "MiB",
      target: null,
      how: `${rows} rows of 128 tokens in one pass`,
    });
  }
  const [, second = 0, third = 0, fourth = 0] = peaks;
  figures.push({
    name: "embedded LoRA, memory from 2,048 to 4,096 tokens",
    value: (fourth - third) / (third - second),
    unit: "x",
    // Twice the tokens added: twice the memory added, were it linear; a power of 1.2 would give 2.3.
    target: { atMost: 2.3 },
    how: "what they add, over what 1,024 to 2,048 add; 2 is linear",
  });
  return figures;
}
