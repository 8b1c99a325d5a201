import { describe, expect, it } from "vitest";
import { clippedAdamWStep, createAdamStates, globalNorm } from "./lora-optimizer.ts";
import { learningRateFactor } from "./schedule.ts";

const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxNorm: 1 };

describe("the clipped AdamW step", () => {
  it("measures the norm over all arrays together", () => {
    expect(globalNorm([Float32Array.of(3), Float32Array.of(0, 4)])).toBe(5);
  });

  it("scales long gradients down and returns their norm before", () => {
    const parameters = new Map([
      ["a", Float32Array.of(0)],
      ["b", Float32Array.of(0)],
    ]);
    const states = createAdamStates(parameters);
    const gradients = new Map([
      ["a", Float32Array.of(3)],
      ["b", Float32Array.of(4)],
    ]);
    expect(clippedAdamWStep(parameters, gradients, states, 1, options)).toBe(5);
    // First moments are (1 - 0.9) times the clipped gradients 0.6 and 0.8.
    expect(states.get("a")?.m[0]).toBeCloseTo(0.06, 6);
    expect(states.get("b")?.m[0]).toBeCloseTo(0.08, 6);
    // Adam's first step has the size of the learning rate.
    expect(parameters.get("a")?.[0]).toBeCloseTo(-0.1, 6);
  });

  it("names the parameter that has no gradient", () => {
    const parameters = new Map([["a", Float32Array.of(0)]]);
    expect(() => clippedAdamWStep(parameters, new Map(), createAdamStates(parameters), 1, options)).toThrow("for a");
  });
});

describe("the learning rate", () => {
  it("rises in a line, then falls to zero", () => {
    expect([0, 1, 2, 7].map((step) => learningRateFactor(step, 12, 2, "linear"))).toEqual([0.5, 1, 1, 0.5]);
    expect(learningRateFactor(7, 12, 2, "cosine")).toBeCloseTo(0.5, 12);
    expect(learningRateFactor(11, 12, 0, "constant")).toBe(1);
  });
});
