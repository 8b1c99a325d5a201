/** Every decoder against transformers and PEFT: test/fixtures/architectures, made by scripts/fixtures/tiny-decoders.py. */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StepModel } from "../generation/step-model.ts";
import {
  adaptedLoss,
  openParityFixture,
  parityFolder,
  scoredContinuation,
  steppedContinuations,
  worstLogit,
} from "./parity.ts";

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
    expect(await worstLogit(fixture)).toBeLessThan(1e-4);
  });

  it("finds the next 32 tokens of transformers likeliest", async () => {
    expect(await scoredContinuation(fixture)).toEqual(reference.greedy[0]);
  });

  it("gives PEFT's loss, and gradients of every LoRA matrix within 1e-3", async () => {
    const { loss, worstGradient } = await adaptedLoss(fixture);
    expect(loss).toBeCloseTo(reference.adapted.loss, 5);
    expect(worstGradient).toBeLessThan(1e-3);
  });

  it("decodes the same tokens in a batch, from a cache that was filled in chunks, with and without the adapter", async () => {
    const found = await steppedContinuations(fixture, model);
    expect(found.greedy).toEqual(reference.greedy);
    expect(found.adapted).toEqual(reference.adapted.greedy);
  });
});
