/** Fine-tuning on example files: what `npx rejoinder train sft` runs. */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { freshAdapter, type LoraShape } from "../../engine/lora/adapter.ts";
import { loadTokenizer, type Tokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { ModelInfo } from "../../engine/types.ts";
import { openTrainedBase } from "../open-trained-base.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { readExamples } from "./examples.ts";
import { type BestAdapter, type FineTuneSettings, fineTune, type SftReport } from "./fine-tune.ts";

export interface SftOptions extends FineTuneSettings {
  /** Checkpoint folder of the base model. */
  modelDir: string;
  /** Precision of its frozen weights. Default "none". */
  quantization?: ModelInfo["quantization"];
  /** JSONL files as examples.ts reads them. */
  examples: { train: string; validation: string };
  /** Gets `adapter/`, `checkpoint.safetensors` and `metrics.jsonl`. */
  outDir: string;
  shape: LoraShape;
  threads: number;
  /** What `rejoinder.json` says about the result. */
  name: string;
  version: number;
  run: string;
  signal?: AbortSignal;
  onStep?: (report: SftReport) => void;
}

/** A fresh adapter on the base model, trained as `fineTune` says; every step is a line of `metrics.jsonl`. */
export async function sft(options: SftOptions): Promise<{ finished: boolean; best: BestAdapter | null }> {
  const { modelDir, quantization, examples, outDir, shape, name, version, run } = options;
  mkdirSync(outDir, { recursive: true });
  const base = await openTrainedBase(modelDir, { quantization }, options.gradients);
  let loaded: Tokenizer | undefined;
  const tokenizer = () => (loaded ??= loadTokenizer(modelDir, base.architecture.vocabularySize));
  return fineTune({
    ...options,
    base,
    adapter: freshAdapter(base.architecture, shape, seededRandom(options.seed)),
    train: readExamples(examples.train, base.architecture, tokenizer),
    validation: readExamples(examples.validation, base.architecture, tokenizer),
    origin: { name, version, parent: null, run },
    onStep: (report) => {
      appendFileSync(join(outDir, "metrics.jsonl"), `${JSON.stringify(report)}\n`);
      options.onStep?.(report);
    },
  });
}
