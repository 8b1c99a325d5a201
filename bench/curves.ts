/** `npm run bench -- --only curves`: what more streams and longer contexts cost at 1.1 billion weights, as charts. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { KvCache } from "../engine/generation/kv-cache.ts";
import { StepModel } from "../engine/generation/step-model.ts";
import { openQuantized } from "../engine/quantization/open-quantized.ts";
import { projectFolder } from "../test/support/running-server.ts";
import { alternate } from "./alternate.ts";
import { writeLineChart } from "./line-chart.ts";
import { timeSteps } from "./our-contender.ts";
import { writeRandomLlama } from "./random-llama.ts";
import { writeRandomQuantized } from "./random-quantized.ts";
import type { Figure } from "./report.ts";

const threads = Math.min(2, availableParallelism());
const streamCounts = [1, 2, 4, 8, 16, 32];
const contexts = [128, 256, 512, 1024, 2048, 4096];
const shortContext = 64;
const steps = 6;
const rounds = 3;

/** Milliseconds of a step of so many streams whose slots hold so many tokens: zeros, which cost what others do. */
async function stepTime(model: StepModel, streams: number, held: number): Promise<number> {
  const cache = new KvCache(model.architecture);
  const first = Array.from({ length: streams }, (_, row) => 300 + row);
  const time = () => timeSteps(model, cache, { first, start: held, steps });
  const [seconds = 0] = await alternate(rounds, [time]);
  return (1000 * seconds) / steps;
}

export async function measureCurves(): Promise<Figure[]> {
  const scratch = mkdtempSync(join(tmpdir(), "rejoinder-bench-"));
  try {
    writeRandomLlama(scratch);
    writeRandomQuantized(scratch);
    const model = await StepModel.create(await openQuantized(scratch, { precision: "int4" }), { threads });
    const rates: number[] = [];
    for (const streams of streamCounts) rates.push((1000 * streams) / (await stepTime(model, streams, shortContext)));
    const times: number[] = [];
    for (const context of contexts) times.push(await stepTime(model, 1, context - steps));
    await model.dispose();

    const images = join(projectFolder, "docs", "images");
    mkdirSync(images, { recursive: true });
    writeLineChart(join(images, "bench-streams.svg"), {
      title: "1.1B at 4 bits: tokens a second by streams",
      x: { name: "streams", values: streamCounts },
      y: { name: "tokens/s, all streams", values: rates },
    });
    writeLineChart(join(images, "bench-context.svg"), {
      title: "1.1B at 4 bits: time of a token by context",
      x: { name: "tokens of context", values: contexts },
      y: { name: "ms/token, one stream", values: times },
    });
    const how = `${steps} tokens, median of ${rounds}`;
    return [
      ...streamCounts.map((streams, i): Figure => {
        return { name: `1.1B, streams ${streams}`, value: rates[i] as number, unit: "tokens/s", target: null, how };
      }),
      ...contexts.map((context, i): Figure => {
        return { name: `1.1B, context ${context}`, value: times[i] as number, unit: "ms/token", target: null, how };
      }),
    ];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
