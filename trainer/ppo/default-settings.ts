/** What a PPO run does unless its job says otherwise, and why. */
import type { PpoSettings } from "../contract.ts";

export const defaultPpoSettings: PpoSettings = {
  // Logged data goes stale with every use: two looks at most, guarded by `earlyStopKl`.
  epochs: 2,
  batchSize: 16,
  // On the embedded model a pass over 64 replies then moves the policy by one to two nats a reply. At 5e-4 it moves so far
  // that the second epoch is stopped early; at 1e-4 rewards hardly rise within five passes.
  learningRate: 3e-4,
  // Schulman et al. 2017.
  clipRange: 0.2,
  // AReaL (2025): keeps most of the correction and bounds its variance.
  maxImportanceWeight: 2,
  maxStaleness: 4,
  // A reply is short and its reward comes at the end: nothing to discount.
  gamma: 1,
  lambda: 0.95,
  // In standard deviations of the reward: a reply that drifts by 1 nat pays a twentieth of one.
  klCoefficient: 0.05,
  // Nats a reply within one run. Runs follow one another, so each may move a little only.
  klTarget: 3,
  // In exchanges: the coefficient changes by at most a fifth after so many.
  klHorizon: 512,
  // Nats a token, a few times what a sound step does.
  earlyStopKl: 0.05,
  maxGradientNorm: 1,
  valueWarmupSteps: 50,
  rank: 32,
  alpha: 32,
  seed: 1,
};

/** Choices that a job cannot change. */
export const fixedPpoSettings = {
  /** Optimizer steps that share one recomputation of old log-probs, values and advantages. */
  minibatchesPerBatch: 2,
  /** Padded tokens that are differentiated at once; a longer minibatch is summed up piece by piece. */
  tokensPerPass: 2048,
  /** Values may move by this much from what they were when the batch began, in standard deviations of the reward. */
  valueClipRange: 0.2,
  /**
   * Small on purpose. With 50 steps of warm-up on 32 replies, 1e-3 explains half of their variance and, on the next 32,
   * less than nothing (-0.1); 3e-4 and 1e-4 explain 0.01 to 0.1 of it.
   */
  valueLearningRate: 2e-4,
  /** Log-ratios are cut here before exp, so that one odd token cannot overflow. */
  maxLogRatio: 20,
  /**
   * Mean |log(old/behaviour)| a token, nats, beyond which a reply was not written by anything like this policy.
   * Top-p 0.95 explains 0.05, four versions of drift a few tenths.
   */
  maxSequenceLogRatio: 1,
  /** Taken off the reward of a reply that never ended, in its standard deviations, so that rambling does not pay. */
  missingEndPenalty: 0.25,
  /** Advantages of a batch that spread less than this, in standard deviations of the reward, are not stretched to 1. */
  leastDeviation: 0.1,
  /** Weight of the entropy in the loss; 0 leaves it out. Sampling at a temperature keeps replies diverse enough. */
  entropyCoefficient: 0,
  adam: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
};
