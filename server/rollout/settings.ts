/** The settings of how a candidate goes live, and of what it is taken away for. */
import { z } from "zod";
import type { DeploymentStage } from "../protocol/index.ts";

function proportion(least: number) {
  const expectation = `expected a number from ${least} to 1`;
  return z
    .string()
    .regex(/^\d*\.?\d+$/, expectation)
    .transform(Number)
    .refine((value) => value >= least && value <= 1, expectation);
}

function count(least: number) {
  const expectation = `expected a whole number from ${least} to 1000000`;
  return z
    .string()
    .regex(/^\d{1,7}$/, expectation)
    .transform(Number)
    .refine((value) => value >= least && value <= 1_000_000, expectation);
}

const flag = z.enum(["true", "false"], "expected true or false").transform((value) => value === "true");

/** Confidence sequences for rewards hold in the limit; below so many replies they do not. */
const fewestCompared = 50;

export const rolloutSettingsShape = {
  ROLLOUT: z.enum(["live", "canary", "shadow"], "expected one of live, canary, shadow").default("live"),
  SHADOW_SHARE: proportion(0).default(0.25),
  SHADOW_MIN_REPLIES: count(fewestCompared).default(100),
  CANARY_SHARE: proportion(0).default(0.1),
  CANARY_MIN_REPLIES: count(fewestCompared).default(100),
  TRIAL_MAX_REPLIES: count(fewestCompared).default(2000),
  TRIAL_MAX_TOXICITY_INCREASE: proportion(0).default(0.05),
  TRIAL_MAX_REWARD_DROP: z
    .string()
    .regex(/^\d*\.?\d+$/, "expected a number of at least 0")
    .transform(Number)
    .default(0.25),
  WATCH: flag.default(true),
  WATCH_MIN_REPLIES: count(1).default(20),
  WATCH_MAX_TOXICITY_RATE: proportion(0).default(0.25),
  WATCH_MAX_TOXICITY: proportion(0).default(0.25),
  WATCH_MAX_FLAG_RATE: proportion(0).default(0.1),
  WATCH_MAX_ERROR_RATE: proportion(0).default(0.1),
  WATCH_MAX_INCREASE: proportion(0).default(0.1),
  WATCH_PROBE: flag.default(true),
};

export interface TrialSettings {
  /** Replies of the candidate before anything is decided. */
  minReplies: Record<"shadow" | "canary", number>;
  /** Replies of the candidate after which a trial that shows nothing is ended. */
  maxReplies: number;
  /** How much worse than the live adapter is not worse: mean toxicity (0..1), mean reward. */
  maxToxicityIncrease: number;
  maxRewardDrop: number;
  /** Whether a trial that shows enough moves on by itself. */
  advances: boolean;
}

export interface WatchSettings {
  enabled: boolean;
  minReplies: number;
  /** Most that is allowed, each 0..1. */
  limits: { toxicityRate: number; meanToxicity: number; flagRate: number; errorRate: number };
  /** How far each of these may be above the adapter before. */
  maxIncrease: number;
  /** Whether an adapter that is not served as it was trained is taken away. */
  revokesOnProbe: boolean;
}

export interface RolloutSettings {
  stage: DeploymentStage;
  shares: Record<DeploymentStage, number>;
  trial: TrialSettings;
  watch: WatchSettings;
}

type Parsed = z.output<z.ZodObject<typeof rolloutSettingsShape>>;

export function toRolloutSettings(settings: Parsed): RolloutSettings {
  return {
    stage: settings.ROLLOUT,
    shares: { shadow: settings.SHADOW_SHARE, canary: settings.CANARY_SHARE, live: 1 },
    trial: {
      minReplies: { shadow: settings.SHADOW_MIN_REPLIES, canary: settings.CANARY_MIN_REPLIES },
      maxReplies: settings.TRIAL_MAX_REPLIES,
      maxToxicityIncrease: settings.TRIAL_MAX_TOXICITY_INCREASE,
      maxRewardDrop: settings.TRIAL_MAX_REWARD_DROP,
      advances: settings.ROLLOUT !== "live",
    },
    watch: {
      enabled: settings.WATCH,
      minReplies: settings.WATCH_MIN_REPLIES,
      limits: {
        toxicityRate: settings.WATCH_MAX_TOXICITY_RATE,
        meanToxicity: settings.WATCH_MAX_TOXICITY,
        flagRate: settings.WATCH_MAX_FLAG_RATE,
        errorRate: settings.WATCH_MAX_ERROR_RATE,
      },
      maxIncrease: settings.WATCH_MAX_INCREASE,
      revokesOnProbe: settings.WATCH_PROBE,
    },
  };
}
