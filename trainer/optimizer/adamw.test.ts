import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adamWStep, createAdamState } from "./adamw.ts";

interface RecordedRun {
  options: { lr: number; betas: [number, number]; eps: number; weight_decay: number };
  initial: number[];
  gradients: number[][];
  after: number[][];
}

const fixture = new URL("../../test/fixtures/optimizers.json", import.meta.url);
const { adamw } = JSON.parse(readFileSync(fixture, "utf8")) as { adamw: RecordedRun[] };

describe("adamWStep", () => {
  for (const { options, initial, gradients, after } of adamw) {
    it(`moves as torch.optim.AdamW does with weight decay ${options.weight_decay}`, () => {
      const weights = Float32Array.from(initial);
      const state = createAdamState(weights.length);
      gradients.forEach((gradient, index) => {
        adamWStep(weights, Float32Array.from(gradient), state, index + 1, {
          learningRate: options.lr,
          beta1: options.betas[0],
          beta2: options.betas[1],
          epsilon: options.eps,
          weightDecay: options.weight_decay,
        });
        after[index]?.forEach((value, i) => {
          expect(Math.abs((weights[i] as number) - value), `step ${index + 1}, weight ${i}`).toBeLessThan(2e-6);
        });
      });
    });
  }

  it("moves by the learning rate at first, whatever the size of the gradient", () => {
    const weights = Float32Array.of(1, 1);
    const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weightDecay: 0 };
    adamWStep(weights, Float32Array.of(1e-4, -1000), createAdamState(2), 1, options);
    expect(weights[0]).toBeCloseTo(0.9, 6);
    expect(weights[1]).toBeCloseTo(1.1, 6);
  });
});
