/**
 * Trains the embedded toxicity classifier from the public data sets and writes its folder:
 *
 *     node reward/train/train.ts --data DIR --out models/toxicity-small [--seed 1] [--epochs 3]
 *
 * DIR holds the folders named in datasets/. A run takes a few minutes of one core and repeats exactly with its seed.
 * Nothing of `perspective_scored` is read here: it is for evaluation only.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decodeBfloat16, encodeBfloat16 } from "../../engine/checkpoint/float16.ts";
import type { ClassifierShape } from "../classifier/config.ts";
import { writeClassifierFolder } from "../classifier/write-folder.ts";
import { textFeatures } from "../text/features.ts";
import { calibrateHeads } from "./calibrate-heads.ts";
import { heads, loadExamples } from "./examples.ts";
import { initialParameters, Network, type Parameters } from "./network.ts";
import { seededRandom } from "./random.ts";
import { defaultTrainingOptions, trainClassifier } from "./training-loop.ts";

/** Windows of a long text that training may see. */
const windowsKept = 3;

const shape: ClassifierShape = {
  wideBuckets: 2 ** 18,
  embeddingBuckets: 2 ** 16,
  windowWords: 64,
  embeddingSize: 32,
  filters: 64,
  hiddenSize: 32,
  heads: [...heads],
};

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    out: { type: "string" },
    seed: { type: "string", default: "1" },
    epochs: { type: "string", default: `${defaultTrainingOptions.epochs}` },
  },
});
if (flags.data === undefined || flags.out === undefined) throw new Error("usage: train.ts --data DIR --out FOLDER");
const seed = Number(flags.seed);
const options = { ...defaultTrainingOptions, epochs: Number(flags.epochs) };
const started = performance.now();
const log = (event: Record<string, unknown>) => {
  const entry = { seconds: Math.round((performance.now() - started) / 1000), ...event };
  history.push(entry);
  console.log(JSON.stringify(entry));
};
const history: Record<string, unknown>[] = [];

const random = seededRandom(seed);
const examples = loadExamples(flags.data, random);
const texts = examples
  .filter((example) => example.split === "train")
  .map(({ text, source, targets }) => ({ source, targets, windows: textFeatures(text, shape).slice(0, windowsKept) }))
  .filter(({ windows }) => windows.length > 0);
const counts = Object.groupBy(texts, (text) => text.source);
log({
  event: "loaded",
  texts: Object.fromEntries(Object.entries(counts).map(([source, list]) => [source, list?.length])),
});

const network = new Network(shape, initialParameters(shape, random));
trainClassifier(network, texts, options, random, (epoch, loss) => {
  log({ event: "epoch", epoch, loss: Number(loss.toFixed(5)) });
});
const stored = roundToBfloat16(network.parameters);
const calibration = calibrateHeads(new Network(shape, stored), examples);
log({ event: "calibrated", calibration });
const bytes = writeClassifierFolder(flags.out, { name: "toxicity-small", shape, parameters: stored, calibration });
log({ event: "written", megabytes: bytes / 1e6 });
writeFileSync(
  join(flags.out, "training.json"),
  `${JSON.stringify({ seed, options, history }, null, 2)}
`,
);

/** Weights are stored in 16 bits; calibrating the rounded ones makes the folder exact. */
function roundToBfloat16(parameters: Parameters): Parameters {
  const entries = Object.entries(parameters).map(([name, values]) => [name, decodeBfloat16(encodeBfloat16(values))]);
  return Object.fromEntries(entries) as Parameters;
}
