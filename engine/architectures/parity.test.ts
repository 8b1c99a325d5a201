/** Every decoder against transformers and PEFT: test/fixtures/architectures, made by scripts/fixtures/tiny-decoders.py. */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { StepModel } from "../generation/step-model.ts";
import type { Precision } from "../quantization/layout.ts";
import {
  adaptedGradients,
  adaptedLoss,
  openParityFixture,
  parityFolder,
  scoredContinuation,
  scoredLogits,
  steppedContinuations,
  worstLogit,
} from "./parity.ts";
import { parityTable } from "./parity-table.ts";
import {
  gradientCosine,
  inFloat32,
  openCopy,
  openTinyLlama,
  type RecordedBase,
  relativeRms,
  steppedDifference,
} from "./quantized-parity.ts";

/** Folder of the fixture, and what it is there to show. */
const rows: readonly (readonly [fixture: string, shows: string])[] = [
  ["llama3-rope-tied", "Llama with Llama 3's rotary scaling and tied embeddings"],
  ["llama-linear-rope-biases", "Llama with linear rotary scaling and biases everywhere"],
  ["llama-yarn", "Llama with YaRN and heads of their own size"],
  ["mistral-window", "Mistral with a sliding window shorter than the text"],
  ["qwen2", "Qwen 2 with biases of queries, keys and values"],
  ["qwen2-window", "Qwen 2 with a sliding window in its second layer"],
  ["qwen3", "Qwen 3 with norms of queries and keys"],
  ["smollm3", "SmolLM 3 with a layer that does not rotate"],
  ["gpt-neox-parallel", "GPT-NeoX with parallel residuals, half of each head rotated"],
  ["gpt-neox-sequential", "GPT-NeoX with attention and feed-forward in turn"],
  ["falcon-7b", "Falcon with one key/value head and one norm a layer"],
  ["falcon-40b", "Falcon with grouped heads and two norms side by side"],
  ["falcon-11b", "Falcon with grouped heads, one norm and biases"],
  ["falcon-sequential", "Falcon with attention and feed-forward in turn"],
  ["gpt2", "GPT-2 with weights stored [input, output]"],
  ["phi3", "Phi-3 with fused products and a sliding window"],
  ["phi3-longrope", "Phi-3 with LongRoPE as far as its short factors reach"],
  ["gemma2", "Gemma 2 with soft caps and a window in every other layer"],
  ["gemma3", "Gemma 3 with norms of queries and keys and two rotary bases"],
];

const { note, print } = parityTable();
afterAll(() => console.log(print()));

it("each fixture has its row", () => {
  expect(rows.map(([fixture]) => fixture).sort()).toEqual(readdirSync(parityFolder).sort());
});

describe.each(rows)("%s: %s", (name) => {
  const fixture = openParityFixture(name);
  const { checkpoint, reference } = fixture;
  let model: StepModel;
  beforeAll(async () => {
    model = await StepModel.create(checkpoint, { threads: 1 });
  });
  afterAll(() => model.dispose());

  it("gives the logits of transformers within 1e-4 at every place of a batch", async () => {
    const worst = await worstLogit(fixture);
    note(name, "logits", "none", worst);
    expect(worst).toBeLessThan(1e-4);
  });

  it("finds the next 32 tokens of transformers likeliest", async () => {
    expect(await scoredContinuation(fixture)).toEqual(reference.greedy[0]);
  });

  it("gives PEFT's loss, and gradients of every LoRA matrix within 1e-3", async () => {
    const { loss, worstGradient } = await adaptedLoss(fixture);
    note(name, "gradients", "none", worstGradient);
    expect(loss).toBeCloseTo(reference.adapted.loss, 5);
    expect(worstGradient).toBeLessThan(1e-3);
  });

  it("decodes the same tokens in a batch, from a cache that was filled in chunks, with and without the adapter", async () => {
    const found = await steppedContinuations(fixture, model);
    expect(found.greedy).toEqual(reference.greedy);
    expect(found.adapted).toEqual(reference.adapted.greedy);
  });
});

/** They were recorded in another form; llama.test.ts checks the rest of them. */
const tinyLlamas = ["tied", "untied/lora", "untied/rslora"] as const;

describe.each(tinyLlamas)("tiny-llama/%s", (name) => {
  const { adapted, ...fixture } = openTinyLlama(name);

  it("gives the logits of transformers, and PEFT's gradients where there is an adapter", async () => {
    const worst = await worstLogit(fixture);
    note(`tiny-llama/${name}`, "logits", "none", worst);
    expect(worst).toBeLessThan(1e-4);
    if (adapted === undefined) return;
    const { worstGradient } = await adaptedLoss({ ...fixture, adapted });
    note(`tiny-llama/${name}`, "gradients", "none", worstGradient);
    expect(worstGradient).toBeLessThan(1e-3);
  });
});

/**
 * How far rounding may carry a model from float32: relative RMS of logits at most, cosine of the LoRA gradient at least.
 * Over all fixtures were measured at worst 0.060 and 0.985 in eight bits, 0.50 and 0.41 in four. That is much: these
 * models are 32 wide, so that a sum has few errors to average. The limits leave room for other processors' roundings;
 * a GPT-2 whose square weights are not turned round before they are rounded has 1.2 and 0.16.
 */
const limits: Record<Precision, { logits: number; gradient: number }> = {
  int8: { logits: 0.1, gradient: 0.97 },
  int4: { logits: 0.7, gradient: 0.25 },
};

/**
 * What activations rounded to eight bits may add, against the same rounded weights multiplied in float32; this shows
 * mistakes that limits as wide as those of four bits would hide. Measured: 0.045 and 0.985 at worst.
 */
const ofActivations = { logits: 0.08, gradient: 0.97 };

/**
 * Between step and scoring graph. Their products are alike to 2e-7, unless a last bit decides to which side an
 * activation is rounded: by that two fixtures differ, by 1.9e-3 at worst.
 */
const ofSteps = 0.01;

const bases: readonly (readonly [name: string, open: () => RecordedBase])[] = [
  ...rows.map(([name]) => [name, () => openParityFixture(name)] as const),
  ...tinyLlamas.map((name) => [`tiny-llama/${name}`, () => openTinyLlama(name)] as const),
];
const precisions = ["int8", "int4"] as const;
const quantized = bases.flatMap(([name, open]) => precisions.map((precision) => ({ name, open, precision })));

describe.each(quantized)("$name in $precision", ({ name, open, precision }) => {
  const fixture = open();
  const { reference, adapted } = fixture;
  let base: { model: BaseModel; remove(): void };
  let logits: Float32Array;
  beforeAll(async () => {
    base = await openCopy(fixture.checkpoint.folder, precision);
    logits = await scoredLogits(base.model, reference.tokens);
  });
  afterAll(() => base.remove());

  it("stays near the logits of transformers, and nearer to its own weights multiplied in float32", async () => {
    const error = relativeRms(logits, fixture.logits);
    note(name, "logits", precision, error);
    expect(error).toBeLessThan(limits[precision].logits);
    const exact = await scoredLogits(inFloat32(base.model, precision), reference.tokens);
    expect(relativeRms(logits, exact)).toBeLessThan(ofActivations.logits);
  });

  it("decodes what the scoring graph of the same precision says, from a cache filled in chunks", async () => {
    expect(await steppedDifference(fixture, base.model, logits)).toBeLessThan(ofSteps);
  });

  if (adapted === undefined) return;
  it("gives LoRA gradients that point where PEFT's do in float32", async () => {
    const { gradients } = await adaptedGradients({ reference, adapted }, base.model);
    const cosine = gradientCosine(gradients, adapted.gradients);
    note(name, "gradients", precision, cosine);
    expect(cosine).toBeGreaterThan(limits[precision].gradient);
    // In eight bits the comparison above is sharp enough.
    if (precision === "int8") return;
    const exact = await adaptedGradients({ reference, adapted }, inFloat32(base.model, precision));
    expect(gradientCosine(gradients, exact.gradients)).toBeGreaterThan(ofActivations.gradient);
  });
});
