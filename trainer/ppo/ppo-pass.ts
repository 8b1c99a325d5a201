/** What one run of the PPO graph gives back. */
import type { Experience } from "./experience.ts";

/** One pass, or the sum over the passes of a minibatch. */
export interface PpoPass {
  policyLoss: number;
  valueLoss: number;
  /** Of the current policy, at each reply's own temperature. */
  logProbs: Map<Experience, Float32Array>;
  /** Mean entropy, nats a token, of the pass's part of the minibatch. */
  entropy: number;
  /** Reply tokens of the pass. */
  tokens: number;
  /** By matrix name. */
  loraGradients: Map<string, Float32Array>;
  /** `weight` and `bias`. */
  valueGradients: Map<string, Float32Array>;
}
