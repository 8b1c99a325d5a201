import { describe, expect, it } from "vitest";
import { llama } from "../../engine/architectures/llama.ts";
import { initialWeights } from "./initial-weights.ts";

const model = llama({
  vocabularySize: 200,
  hiddenSize: 48,
  intermediateSize: 64,
  layers: 1,
  heads: 4,
  keyValueHeads: 2,
  headSize: 12,
  contextLength: 8,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
});

const deviation = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

describe("initialWeights", () => {
  const weights = initialWeights(model, 5);
  const of = (name: string) => weights.get(name) ?? new Float32Array(0);

  it("makes every parameter of the model", () => {
    expect([...weights].map(([name, data]) => [name, data.length])).toEqual(
      [...model.parameters].map(([name, shape]) => [name, shape.reduce((a, b) => a * b, 1)]),
    );
  });

  it("keeps the size of what passes through a matrix: variance 1 / inputs", () => {
    // 48 inputs each; the estimate of 2,304 or more values is good to about 2 percent.
    expect(deviation(of("model.layers.0.self_attn.q_proj.weight")) * Math.sqrt(48)).toBeCloseTo(1, 1);
    expect(deviation(of("model.layers.0.mlp.up_proj.weight")) * Math.sqrt(48)).toBeCloseTo(1, 1);
  });

  it("begins as the identity: projections onto the residual stream are zero, norms one", () => {
    for (const name of ["self_attn.o_proj", "mlp.down_proj"]) {
      expect(of(`model.layers.0.${name}.weight`).every((value) => value === 0)).toBe(true);
    }
    expect(of("model.norm.weight").every((value) => value === 1)).toBe(true);
  });

  it("draws embeddings wide and the head narrow", () => {
    expect(deviation(of("model.embed_tokens.weight"))).toBeCloseTo(0.5, 1);
    expect(deviation(of("lm_head.weight")) * 1000).toBeCloseTo(1, 1);
  });

  it("depends on the seed alone", () => {
    expect(initialWeights(model, 5)).toEqual(weights);
    expect(initialWeights(model, 6).get("lm_head.weight")).not.toEqual(of("lm_head.weight"));
  });
});
