/** What a PPO run does unless its job says otherwise, and why. */
import type { PpoSettings, RolloutSettings } from "../settings.ts";

export const defaultPpoSettings: PpoSettings = {
  // Logged data goes stale with every use: two looks at most, guarded by `earlyStopKl`.
  epochs: 2,
  batchSize: 16,
  minibatchesPerBatch: 2,
  // On the embedded model a pass over 64 replies then moves the policy by one to two nats a reply. At 5e-4 it moves so far
  // that the second epoch is stopped early; at 1e-4 rewards hardly rise within five passes.
  learningRate: 3e-4,
  // A run from the log is a few dozen steps, bounded by clipping and early stop: there is no long tail to settle in.
  warmupSteps: 0,
  decay: "constant",
  // Adapters are small and runs short; the KL penalty is what keeps them near where they began.
  weightDecay: 0,
  maxGradientNorm: 1,
  maxTokensPerPass: 2048,
  // Schulman et al. 2017.
  clipRange: 0.2,
  valueClipRange: 0.2,
  // AReaL (2025): keeps most of the correction and bounds its variance.
  maxImportanceWeight: 2,
  // Top-p 0.95 explains 0.05, four versions of drift a few tenths; beyond 1 something unlike this policy wrote the reply.
  maxSequenceLogRatio: 1,
  maxStaleness: 4,
  // A reply is short and its reward comes at the end: nothing to discount.
  gamma: 1,
  lambda: 0.95,
  // In standard deviations of the reward: a reply that drifts by 1 nat pays a twentieth of one.
  klCoefficient: 0.05,
  // Nats a reply within one run. Runs follow one another, so each may move a little only.
  klTarget: 3,
  klHorizon: 512,
  // Nats a token, a few times what a sound step does.
  earlyStopKl: 0.05,
  // Left out, rambling would cost nothing; its reward is real, and the penalty makes ending pay.
  cutReplies: "penalize",
  missingEndPenalty: 0.25,
  // Sampling at a temperature keeps replies diverse enough.
  entropyCoefficient: 0,
  valueWarmupSteps: 50,
  // Small on purpose. With 50 steps of warm-up on 32 replies, 1e-3 explains half of their variance and, on the next 32,
  // less than nothing (-0.1); 3e-4 and 1e-4 explain 0.01 to 0.1 of it.
  valueLearningRate: 2e-4,
  gradients: "exact",
  rank: 32,
  alpha: 32,
  seed: 1,
};

export const defaultRolloutSettings: RolloutSettings = {
  rounds: 4,
  promptsPerRound: 64,
  repliesPerPrompt: 1,
  // Between what is served by default (0.5) and the whole distribution (1), of which a small model's tail is mostly noise.
  temperature: 0.7,
  maxTokens: 64,
};

/** Choices that a job cannot change: guards of the arithmetic, and Adam's constants as everybody has them. */
export const fixedPpoSettings = {
  /** Log-ratios are cut here before exp, so that one odd token cannot overflow. */
  maxLogRatio: 20,
  /** Advantages of a batch that spread less than this, in standard deviations of the reward, are not stretched to 1. */
  leastDeviation: 0.1,
  adam: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
};
