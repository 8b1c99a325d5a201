import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { freshAdapter } from "../../engine/lora/adapter.ts";
import { readPeftAdapter } from "../../engine/lora/peft.ts";
import { createLoraScorer } from "../lora-scorer.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { sampleModelSize, writeSampleModel } from "../sample-model.ts";
import { replyLoss } from "./fine-tune.ts";
import { type SftOptions, sft } from "./sft.ts";

const shape = { rank: 4, alpha: 4, targetModules: ["q_proj", "v_proj", "o_proj", "down_proj"], rankStabilized: false };

/** Replies that repeat the prompt's last token and end: what a language model learns quickly. */
function echoes(count: number, seed: number): string {
  const random = seededRandom(seed);
  const token = () => 1 + Math.floor(random() * (sampleModelSize.vocabulary - 1));
  const lines = Array.from({ length: count }, () => {
    const promptTokens = Array.from({ length: 2 + Math.floor(random() * 4) }, token);
    const last = promptTokens.at(-1);
    return JSON.stringify({ promptTokens, replyTokens: [last, last, 0] });
  });
  return lines.join("\n");
}

let folder: string;
let options: SftOptions;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sft-"));
  writeSampleModel(join(folder, "model"));
  writeFileSync(join(folder, "train.jsonl"), echoes(200, 1));
  writeFileSync(join(folder, "validation.jsonl"), echoes(40, 2));
  options = {
    modelDir: join(folder, "model"),
    examples: { train: join(folder, "train.jsonl"), validation: join(folder, "validation.jsonl") },
    outDir: join(folder, "out"),
    shape,
    epochs: 4,
    tokensPerStep: 100,
    maxTokensPerPass: 1000,
    learningRate: 0.03,
    warmupSteps: 4,
    decay: "linear",
    weightDecay: 0,
    maxGradientNorm: 1,
    gradients: "exact",
    stepsBetweenEvaluations: 10,
    seed: 3,
    threads: 1,
    name: "sample",
    version: 1,
    run: "test",
  };
});

afterEach(() => rmSync(folder, { recursive: true }));

describe("fine-tuning", () => {
  it("lowers the loss on replies to unseen prompts and leaves the best adapter as a PEFT folder", async () => {
    const checkpoint = readCheckpoint(options.modelDir);
    const validation = readFileSync(options.examples.validation, "utf8").split("\n");
    const examples = validation.map((line) => JSON.parse(line) as { promptTokens: number[]; replyTokens: number[] });
    const scorer = await createLoraScorer(checkpoint, shape, { threads: 1 });
    const before = await replyLoss(
      scorer,
      freshAdapter(checkpoint.architecture, shape, () => 0.5),
      examples,
      1000,
    );

    const { finished, best } = await sft(options);
    expect(finished).toBe(true);
    expect(best?.validationLoss).toBeLessThan(before - 0.5);

    const written = readPeftAdapter(join(options.outDir, "adapter"), checkpoint.architecture);
    expect(await replyLoss(scorer, written, examples, 1000)).toBeCloseTo(best?.validationLoss ?? Number.NaN, 5);
    const manifest = JSON.parse(readFileSync(join(options.outDir, "adapter", "rejoinder.json"), "utf8"));
    expect(manifest).toMatchObject({ name: "sample", version: 1, parent: null, run: "test" });
    expect(manifest.baseModel.sha256).toBe(checkpoint.sha256);
    expect(manifest.probe.logProbs).toHaveLength(manifest.probe.tokens.length - manifest.probe.from);
    await scorer.dispose();
  });

  it("goes on after an interruption to the same bits", async () => {
    await sft(options);
    const whole = readFileSync(join(options.outDir, "adapter", "adapter_model.safetensors"));

    const resumed = { ...options, outDir: join(folder, "resumed") };
    const stop = new AbortController();
    const first = await sft({ ...resumed, signal: stop.signal, onStep: ({ step }) => step === 13 && stop.abort() });
    expect(first.finished).toBe(false);
    const second = await sft(resumed);
    expect(second.finished).toBe(true);
    expect(readFileSync(join(resumed.outDir, "adapter", "adapter_model.safetensors")).equals(whole)).toBe(true);
  });

  it("takes rounded gradients over int8 weights, to about the same loss, and over no others", async () => {
    const over = (gradients: SftOptions["gradients"]) =>
      sft({ ...options, quantization: "int8", gradients, outDir: join(folder, gradients) });
    const [exact, rounded] = [await over("exact"), await over("rounded")];
    expect(rounded.best?.sha256).not.toBe(exact.best?.sha256);
    expect(Math.abs((rounded.best?.validationLoss ?? 9) - (exact.best?.validationLoss ?? 0))).toBeLessThan(0.1);
    await expect(sft({ ...options, gradients: "rounded" })).rejects.toThrow(/needs int8 weights, .* unquantized/);
  });

  it("names file and line of an example that does not fit the model", async () => {
    writeFileSync(
      options.examples.train,
      '{"promptTokens":[1],"replyTokens":[2]}\n{"promptTokens":[1],"replyTokens":[99]}\n',
    );
    await expect(sft(options)).rejects.toThrow(/train\.jsonl, line 2: replyTokens/);
  });
});

describe("the loss", () => {
  it("is ln(vocabulary) a reply token for a model that knows nothing", async () => {
    const checkpoint = readCheckpoint(options.modelDir);
    checkpoint.weights.get("lm_head.weight")?.fill(0);
    const scorer = await createLoraScorer(checkpoint, shape, { threads: 1 });
    const adapter = freshAdapter(checkpoint.architecture, shape, seededRandom(1));
    const loss = await replyLoss(scorer, adapter, [{ promptTokens: [1, 2, 3], replyTokens: [4, 5] }], 1000);
    expect(loss).toBeCloseTo(Math.log(sampleModelSize.vocabulary), 6);
    await scorer.dispose();
  });
});
