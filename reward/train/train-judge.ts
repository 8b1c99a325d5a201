/**
 * Trains the judge, a linear toxicity classifier on rows that `train.ts` leaves out, and writes its folder:
 *
 *     node reward/train/train-judge.ts --data DIR --out models/toxicity-judge [--seed 7]
 *
 * A run takes about a minute of one core and repeats exactly with its seed. Nothing of `perspective_scored` is read.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { linearScore } from "../linear/raw-score.ts";
import { roundToInt8, writeLinearFolder } from "../linear/write-folder.ts";
import { fitPlatt } from "./calibrate.ts";
import { sourcesWithOffset } from "./examples.ts";
import { loadJudgeExamples } from "./judge-examples.ts";
import { type LinearTrainingOptions, trainLinear } from "./linear-training.ts";
import { seededRandom } from "./random.ts";

const buckets = 2 ** 19;
const options: LinearTrainingOptions = { epochs: 10, learningRate: 0.3, joined: 0.8, sourcesWithOffset };

const { values: flags } = parseArgs({
  options: { data: { type: "string" }, out: { type: "string" }, seed: { type: "string", default: "7" } },
});
if (flags.data === undefined || flags.out === undefined) {
  throw new Error("usage: train-judge.ts --data DIR --out FOLDER [--seed N]");
}
const seed = Number(flags.seed);
const history: Record<string, unknown>[] = [];
const log = (entry: Record<string, unknown>) => {
  history.push(entry);
  console.log(JSON.stringify(entry));
};

const { training, calibration: heldOut } = loadJudgeExamples(flags.data);
const counts = Object.entries(Object.groupBy(training, ({ source }) => source));
log({ event: "loaded", texts: Object.fromEntries(counts.map(([source, rows]) => [source, rows?.length])) });
const weights = trainLinear(training, buckets, options, seededRandom(seed), (epoch, loss) =>
  log({ event: "epoch", epoch, loss: Number(loss.toFixed(5)) }),
);

const rounded = roundToInt8(weights);
// Each source counts alike, however many rows it has.
const sizes = Object.groupBy(heldOut, ({ source }) => source);
const calibration = fitPlatt(
  heldOut.flatMap(({ text, source, targets }) => {
    const raw = linearScore(text, rounded.weights, rounded.step);
    return raw === null ? [] : [{ raw, target: targets.TOXICITY ?? 0, weight: 1000 / (sizes[source]?.length ?? 1) }];
  }),
);
log({ event: "calibrated", calibration });
const bytes = writeLinearFolder(flags.out, { name: "toxicity-judge", rounded, calibration });
log({ event: "written", megabytes: bytes / 1e6 });
const record = { seed, options: { ...options, sourcesWithOffset: [...sourcesWithOffset] }, history };
writeFileSync(join(flags.out, "training.json"), `${JSON.stringify(record, null, 2)}\n`);
