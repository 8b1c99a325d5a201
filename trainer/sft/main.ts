/** `npx rejoinder train sft`: examples in, a LoRA adapter out. Resumable. How it trains, and where it departs from the textbook, is at the head of fine-tune.ts. */
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { everyTarget } from "../../engine/lora/adapter.ts";
import type { ModelInfo } from "../../engine/types.ts";
import type { Decay } from "../optimizer/schedule.ts";
import { tellFailures } from "../tell-failure.ts";
import { sft } from "./sft.ts";

const help = `Usage: rejoinder train sft --train FILE --validation FILE [options]

Fine-tunes a LoRA adapter on examples, one JSON object a line, of which only the last reply is learned:
  {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}
  {"prompt": "...", "completion": "..."}                   each may be a list of messages, too
  {"promptTokens": [...], "replyTokens": [...]}            tokens of this model, end token included
Interrupt at any time; the same command goes on where it stopped. The adapter that did best on the validation
examples is in OUT/adapter.

  --train, --validation FILE   examples; conversations are rendered by the model's own chat template
  --model DIR          checkpoint folder of the base model                     [models/rejoinder-tiny]
  --quantization NAME  precision of its frozen weights: none, int8 or int4     [none]
  --out DIR            checkpoint, metrics.jsonl, adapter/                     [data/sft]
  --rank N, --alpha X  shape of the adapter: W + alpha / rank B A              [64, 64]
  --modules LIST       linear layers that get one, by comma                    [all of them]
  --epochs N                                                                   [4]
  --tokens N           most tokens in one step                                 [2048]
  --pass N             most tokens at once: bounds memory                      [2048]
  --rate X             learning rate at its peak                               [0.002]
  --warmup N           steps over which it rises                               [50]
  --decay NAME         how it falls: linear, cosine or constant                [linear]
  --weight-decay X                                                             [0.01]
  --clip X             longest gradient                                        [1]
  --gradients NAME     through int8 weights: exact, or rounded, which is faster [exact]
  --evaluate N         steps between looks at the validation examples          [200]
  --seed N, --threads N                                                        [1, 2]
  --name NAME, --version N     what the result is called                       [rejoinder, 1]
  --json               one JSON object a step instead of a progress bar
`;

tellFailures();
const { values } = parseArgs({
  options: {
    train: { type: "string" },
    validation: { type: "string" },
    model: { type: "string", default: join(dirname(import.meta.dirname), "..", "models", "rejoinder-tiny") },
    quantization: { type: "string", default: "none" },
    out: { type: "string", default: "data/sft" },
    rank: { type: "string", default: "64" },
    alpha: { type: "string", default: "64" },
    modules: { type: "string" },
    epochs: { type: "string", default: "4" },
    tokens: { type: "string", default: "2048" },
    pass: { type: "string", default: "2048" },
    rate: { type: "string", default: "0.002" },
    warmup: { type: "string", default: "50" },
    decay: { type: "string", default: "linear" },
    "weight-decay": { type: "string", default: "0.01" },
    clip: { type: "string", default: "1" },
    gradients: { type: "string", default: "exact" },
    evaluate: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
    name: { type: "string", default: "rejoinder" },
    version: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help || values.train === undefined || values.validation === undefined) {
  process.stdout.write(help);
  process.exit(values.help ? 0 : 2);
}

/** @throws with a sentence that names the option */
function positive(name: keyof typeof values, least = 0): number {
  const value = Number(values[name]);
  if (!Number.isFinite(value) || value < least) {
    process.stderr.write(`--${name} must be a number of at least ${least}, not "${values[name]}"\n`);
    process.exit(2);
  }
  return value;
}

const decays: readonly string[] = ["linear", "cosine", "constant"] satisfies Decay[];
if (!decays.includes(values.decay)) {
  process.stderr.write(`--decay must be one of ${decays.join(", ")}, not "${values.decay}"\n`);
  process.exit(2);
}

const precisions: readonly string[] = ["none", "int8", "int4"] satisfies ModelInfo["quantization"][];
if (!precisions.includes(values.quantization)) {
  process.stderr.write(`--quantization must be one of ${precisions.join(", ")}, not "${values.quantization}"\n`);
  process.exit(2);
}

if (values.gradients !== "exact" && values.gradients !== "rounded") {
  process.stderr.write(`--gradients must be exact or rounded, not "${values.gradients}"\n`);
  process.exit(2);
}

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
const bar = new cliProgress.SingleBar({
  format: "{bar} step {value}/{total}  loss {loss}  validation {validation}  {speed} tokens/s  {eta_formatted} left",
});
let started = false;
const { finished, best } = await sft({
  modelDir: values.model,
  quantization: values.quantization as ModelInfo["quantization"],
  examples: { train: values.train, validation: values.validation },
  outDir: values.out,
  shape: {
    rank: positive("rank", 1),
    alpha: positive("alpha"),
    targetModules: values.modules?.split(",") ?? everyTarget(readArchitecture(values.model)),
    rankStabilized: false,
  },
  epochs: positive("epochs", 1),
  tokensPerStep: positive("tokens", 1),
  maxTokensPerPass: positive("pass", 1),
  learningRate: positive("rate"),
  warmupSteps: positive("warmup"),
  decay: values.decay as Decay,
  weightDecay: positive("weight-decay"),
  maxGradientNorm: positive("clip"),
  gradients: values.gradients,
  stepsBetweenEvaluations: positive("evaluate", 1),
  seed: positive("seed"),
  threads: positive("threads", 1),
  name: values.name,
  version: positive("version", 1),
  run: basename(values.out),
  signal: stop.signal,
  onStep: (report) => {
    if (values.json) return process.stdout.write(`${JSON.stringify(report)}\n`);
    if (!started) bar.start(report.steps, report.step, { loss: "-", validation: "-", speed: "-" });
    started = true;
    bar.update(report.step, {
      loss: report.loss.toFixed(3),
      speed: Math.round(report.tokensPerSecond),
      ...(report.validationLoss === undefined ? {} : { validation: report.validationLoss.toFixed(3) }),
    });
  },
});
bar.stop();
if (!finished) process.exit(75);
if (!values.json) process.stdout.write(`Best validation loss: ${best?.validationLoss.toFixed(3)} nats a reply token\n`);
