/** `npx rejoinder train pretrain`: data sets in, a checkpoint folder's model.safetensors out. Resumable. */
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { tellFailures } from "../tell-failure.ts";
import { prepareCorpus } from "./prepare.ts";
import { pretrain } from "./pretrain.ts";

const help = `Usage: rejoinder train pretrain --data DIR [options]

Pre-trains a model, from scratch or from an earlier run's weights. Interrupt at any time; the same command goes on where it stopped.

  --data DIR      folder with the public data sets, laid out as datasets/README.md says
  --model DIR     folder with config.json (and tokenizer.json, trained if missing)  [models/rejoinder-tiny]
  --from DIR      checkpoint folder of that shape whose weights to begin with       [random weights]
  --out DIR       checkpoint, metrics.jsonl, model.safetensors                      [data/pretrain]
  --steps N       optimizer steps                                                   [2000]
  --chunks N      chunks of 512 tokens a step                                       [16]
  --decay SHARE   share of the steps over which the learning rates fall to zero     [0.4]
  --seed N                                                                          [1]
  --threads N                                                                       [2]
  --matrix-rate, --embedding-rate, --head-rate X   learning rates                   [0.02, 0.03, 0.006]
  --json          one JSON object a step instead of a progress bar
`;

tellFailures();
const { values } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string", default: join(dirname(import.meta.dirname), "..", "models", "rejoinder-tiny") },
    from: { type: "string" },
    out: { type: "string", default: "data/pretrain" },
    steps: { type: "string", default: "2000" },
    chunks: { type: "string", default: "16" },
    decay: { type: "string", default: "0.4" },
    seed: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
    "matrix-rate": { type: "string", default: "0.02" },
    "embedding-rate": { type: "string", default: "0.03" },
    "head-rate": { type: "string", default: "0.006" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help || values.data === undefined) {
  process.stdout.write(help);
  process.exit(values.help ? 0 : 2);
}

const corpus = join(values.out, "corpus");
prepareCorpus({
  dataDir: values.data,
  outDir: corpus,
  tokenizerDir: values.model,
  seed: Number(values.seed),
  onProgress: (stage) => values.json || process.stderr.write(`${stage}\n`),
});

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
const bar = new cliProgress.SingleBar({
  format: "{bar} step {value}/{total}  loss {loss}  held out {heldOut}  {speed} tokens/s  {eta_formatted} left",
});
const steps = Number(values.steps);
if (!values.json) bar.start(steps, 0, { loss: "-", heldOut: "-", speed: "-" });
const finished = await pretrain({
  architecture: readArchitecture(values.model),
  ...(values.from === undefined ? {} : { from: readCheckpoint(values.from).weights }),
  corpus,
  outDir: values.out,
  steps,
  chunksPerStep: Number(values.chunks),
  rates: {
    matrix: Number(values["matrix-rate"]),
    embedding: Number(values["embedding-rate"]),
    head: Number(values["head-rate"]),
    norm: 0.003,
    weightDecay: 0.01,
  },
  warmupSteps: 40,
  decayShare: Number(values.decay),
  seed: Number(values.seed),
  threads: Number(values.threads),
  signal: stop.signal,
  onStep: (report) => {
    if (values.json) return process.stdout.write(`${JSON.stringify(report)}\n`);
    bar.update(report.step, {
      loss: report.loss.toFixed(3),
      speed: Math.round(report.tokensPerSecond),
      ...(report.heldOutLoss === undefined ? {} : { heldOut: report.heldOutLoss.toFixed(3) }),
    });
  },
});
bar.stop();
if (!finished) process.exit(75);
