/** What fine-tuning on logged exchanges does unless its job says otherwise, and why. */
import type { SftSettings } from "../settings.ts";

/** Few examples, seen a few times, a few at a time; the best adapter on validation counts, so more does no harm. */
export const defaultSftSettings: SftSettings = {
  epochs: 4,
  tokensPerStep: 1024,
  learningRate: 5e-4,
  warmupSteps: 4,
  decay: "linear",
  weightDecay: 0.01,
  maxGradientNorm: 1,
  maxTokensPerPass: 2048,
  stepsBetweenEvaluations: 10,
  gradients: "exact",
  rank: 32,
  alpha: 32,
  seed: 1,
};

export const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
