/**
 * What a training job may set, with the ranges within which a setting means something. Server and trainer check requests
 * and job files against the same schemas; defaults and why are in ppo/default-settings.ts and sft/default-settings.ts.
 */
import { z } from "zod";

/** Settings of any run that trains a LoRA adapter with AdamW. */
export interface OptimizerSettings {
  /** Looks at every exchange or example. */
  epochs: number;
  /** Peak of the schedule. */
  learningRate: number;
  /** Optimizer steps over which the learning rate rises in a line. */
  warmupSteps: number;
  /** How the learning rate falls from there to the run's last step. */
  decay: "constant" | "linear" | "cosine";
  /** Decoupled, times the learning rate. */
  weightDecay: number;
  /** Gradients are scaled down to this global norm. */
  maxGradientNorm: number;
  /**
   * Most tokens, padding included, that go through a graph at once; a longer batch is accumulated pass by pass. Bounds the
   * trainer's memory, which grows with it in a line. A sequence that is longer by itself is left out.
   */
  maxTokensPerPass: number;
  /**
   * `rounded`: gradients through int8 layers are rounded to eight bits a row, as activations are, which is faster and holds
   * a second copy of the weights. Needs int8 weights.
   */
  gradients: "exact" | "rounded";
  /** LoRA shape when no parent adapter is given. */
  rank: number;
  alpha: number;
  seed: number;
}

export interface PpoSettings extends OptimizerSettings {
  /** Exchanges in one optimizer step. */
  batchSize: number;
  /** Optimizer steps that share one recomputation of old log-probs, values and advantages. */
  minibatchesPerBatch: number;
  /** Clip range of current/old, both sides. */
  clipRange: number;
  /** Values may move by this much from what they were when the batch began, in standard deviations of the reward. */
  valueClipRange: number;
  /** Cap of the detached token weight old/behaviour. */
  maxImportanceWeight: number;
  /** Mean |log(old/behaviour)| a token, nats, beyond which a whole reply is left out. */
  maxSequenceLogRatio: number;
  /** Exchanges whose adapter is more versions behind than this are left out. */
  maxStaleness: number;
  gamma: number;
  lambda: number;
  /** Start value of the KL coefficient, in standard deviations of the reward a nat. */
  klCoefficient: number;
  /** KL to the reference, nats a reply, that the coefficient steers to. */
  klTarget: number;
  /** Exchanges over which the coefficient may change by a fifth. */
  klHorizon: number;
  /** Stop the batch when the approximate KL of current to old, nats a token, passes this. */
  earlyStopKl: number;
  /** What becomes of replies that a length limit cut: trained on with `missingEndPenalty`, or left out. */
  cutReplies: "penalize" | "mask";
  /** Taken off the reward of a reply without an end token, in standard deviations of the reward. */
  missingEndPenalty: number;
  /** Weight of the mean entropy in the loss. */
  entropyCoefficient: number;
  /** Steps of the value head alone before the policy moves. */
  valueWarmupSteps: number;
  valueLearningRate: number;
}

export interface SftSettings extends OptimizerSettings {
  /** Most tokens, padding included, in one optimizer step. */
  tokensPerStep: number;
  /** Steps between two looks at the validation examples, each of which may keep a better adapter. */
  stepsBetweenEvaluations: number;
}

/** How fresh rollouts are made. */
export interface RolloutSettings {
  /** Times that replies are sampled and then trained on. */
  rounds: number;
  promptsPerRound: number;
  repliesPerPrompt: number;
  /** Replies are sampled from softmax(logits / temperature) whole: what is sampled from is what is trained. */
  temperature: number;
  /** Most tokens of a reply. */
  maxTokens: number;
}

const share = z.number().min(0).max(1);
const positive = (most: number) => z.number().positive().max(most);
const count = (most: number) => z.int().min(1).max(most);
const seed = z
  .int()
  .min(0)
  .max(2 ** 32 - 1);

const optimizerShape = {
  epochs: count(100),
  learningRate: positive(1),
  warmupSteps: z.int().min(0).max(100_000),
  decay: z.enum(["constant", "linear", "cosine"]),
  weightDecay: share,
  maxGradientNorm: positive(1e6),
  maxTokensPerPass: z.int().min(16).max(1_000_000),
  gradients: z.enum(["exact", "rounded"]),
  rank: count(256),
  alpha: positive(1024),
  seed,
} satisfies Record<keyof OptimizerSettings, z.ZodType>;

const ppoShape = {
  ...optimizerShape,
  epochs: count(10),
  batchSize: count(4096),
  minibatchesPerBatch: count(64),
  clipRange: positive(1),
  valueClipRange: positive(100),
  maxImportanceWeight: z.number().min(1).max(100),
  maxSequenceLogRatio: positive(20),
  maxStaleness: z.int().min(0).max(1000),
  gamma: share,
  lambda: share,
  klCoefficient: z.number().min(0).max(100),
  klTarget: positive(1000),
  klHorizon: positive(1e9),
  earlyStopKl: positive(100),
  cutReplies: z.enum(["penalize", "mask"]),
  missingEndPenalty: z.number().min(0).max(100),
  entropyCoefficient: z.number().min(0).max(10),
  valueWarmupSteps: z.int().min(0).max(100_000),
  valueLearningRate: positive(1),
} satisfies Record<keyof PpoSettings, z.ZodType>;

const sftShape = {
  ...optimizerShape,
  tokensPerStep: z.int().min(16).max(1_000_000),
  stepsBetweenEvaluations: count(100_000),
} satisfies Record<keyof SftSettings, z.ZodType>;

export const rolloutShape = {
  rounds: count(1000),
  promptsPerRound: count(4096),
  repliesPerPrompt: count(64),
  temperature: z.number().min(0.1).max(2),
  maxTokens: count(4096),
} satisfies Record<keyof RolloutSettings, z.ZodType>;

// Unknown names are refused: a misspelt setting would be a run with the default.
export const ppoSettingsSchema = z.strictObject(ppoShape).partial();
export const sftSettingsSchema = z.strictObject(sftShape).partial();
