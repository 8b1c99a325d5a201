/** Peak memory of the trainer by the most tokens that it lets through a graph at once. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Figure } from "../report.ts";
import { ourProgram, startTraining } from "./contender.ts";
import { writeJob } from "./job.ts";

const limits = [512, 1024, 2048, 4096] as const;
/** 4,096 tokens a step, whatever the limit. */
const batch = { rows: 32, promptTokens: 64, replyTokens: 64 };

/** Each limit in a process of its own, one thread, three steps. */
export async function measureMemory(scratch: string, model: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  const peaks: number[] = [];
  for (const maxTokensPerPass of limits) {
    const folder = join(scratch, `memory-${maxTokensPerPass}`);
    mkdirSync(folder);
    const program = ourProgram(writeJob(folder, model, batch, { threads: 1, maxTokensPerPass }), "fp32");
    const contender = await startTraining(program);
    const { peakBytes } = await contender.steps(3);
    await contender.stop();
    peaks.push(peakBytes);
    figures.push({
      name: `embedded LoRA, peak memory, ${maxTokensPerPass} tokens a pass`,
      value: peakBytes / 2 ** 20,
      unit: "MiB",
      target: null,
      how: "steps of 4,096 tokens",
    });
  }
  const [, second = 0, third = 0, fourth = 0] = peaks;
  figures.push({
    name: "embedded LoRA, memory of doubled passes",
    value: (fourth - third) / (third - second),
    unit: "x",
    // Growth with the power 1.2 of the tokens would give 2.3.
    target: { atMost: 2.3 },
    how: "what 2,048 to 4,096 tokens a pass add, over what 1,024 to 2,048 add; 2 is linear",
  });
  return figures;
}
