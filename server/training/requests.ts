import { z } from "zod";
import type { PpoSettings } from "../../trainer/contract.ts";

/** Ranges within which a setting means something; defaults are the trainer's. */
const ppoSettingsShape = {
  epochs: z.int().min(1).max(10).optional(),
  batchSize: z.int().min(1).max(4096).optional(),
  learningRate: z.number().positive().max(1).optional(),
  clipRange: z.number().positive().max(1).optional(),
  maxImportanceWeight: z.number().min(1).max(100).optional(),
  maxStaleness: z.int().min(0).max(1000).optional(),
  gamma: z.number().min(0).max(1).optional(),
  lambda: z.number().min(0).max(1).optional(),
  klCoefficient: z.number().min(0).max(100).optional(),
  klTarget: z.number().positive().max(1000).optional(),
  klHorizon: z.number().positive().optional(),
  earlyStopKl: z.number().positive().optional(),
  maxGradientNorm: z.number().positive().optional(),
  valueWarmupSteps: z.int().min(0).max(100_000).optional(),
  rank: z.int().min(1).max(256).optional(),
  alpha: z.number().positive().max(1024).optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
} satisfies Record<keyof PpoSettings, z.ZodType>;

/** Unknown names are refused: a misspelt setting would be a run with the default. */
export const ppoSettingsSchema = z.strictObject(ppoSettingsShape);

/** The trainer's own, which a run of PPO falls back on. */
export const defaultMaxStaleness = 4;

/** Fewer exchanges than this teach nothing but noise. */
export const fewestExchanges = 8;

/** Body of POST /api/training/runs; the run's row keeps it. */
export const startRunSchema = z.strictObject({
  algorithm: z.enum(["ppo", "sft"]),
  settings: ppoSettingsSchema.default({}),
  /** Make the result live when it is sound. */
  promote: z.boolean().default(true),
  /**
   * `live`: go on from the live adapter. `clean`: from its newest ancestor that erased data did not touch, with what is
   * left of the exchanges of the runs since.
   */
  from: z.enum(["live", "clean"]).default("live"),
  /** Train on at most so many exchanges: those not used yet or judged since first, the newest first. */
  maxExchanges: z.int().min(fewestExchanges).max(100_000).default(512),
});
export type StartRun = z.infer<typeof startRunSchema>;
