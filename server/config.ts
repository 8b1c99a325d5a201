/** Settings from flags and environment, checked before anything starts. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CronPattern } from "croner";
import { z } from "zod";
import { type Device, devices } from "../engine/types.ts";
import { knownLanguages } from "../reward/text/language.ts";
import { defaultGateLimits, type GateLimits } from "../trainer/contract.ts";
import { parseGateLimits } from "./gate/settings.ts";
import { type RolloutSettings, rolloutSettingsShape, toRolloutSettings } from "./rollout/settings.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A setting or flag that cannot be used; the message is one sentence that names it. */
export class SettingError extends Error {}

function integer(least: number, most: number) {
  const expectation = `expected a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,10}$/, expectation)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expectation);
}

const flag = z.enum(["true", "false"], "expected true or false").transform((value) => value === "true");
const text = z.string().min(1, "expected a value");

function isCronPattern(pattern: string): boolean {
  try {
    return new CronPattern(pattern) !== undefined;
  } catch {
    return false;
  }
}

function isRedisUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== "" && /^\/?\d*$/.test(url.pathname);
}

function toGateLimits(value: string, context: z.RefinementCtx): GateLimits {
  try {
    return parseGateLimits(value);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
    return z.NEVER;
  }
}

const unsupported = (instead: string) => z.never(`is not supported in this version: ${instead}`).optional();

const settingsSchema = z.object({
  PORT: integer(0, 65535).default(3000),
  HOST: text.default("127.0.0.1"),
  DATA_DIR: text.default("./data"),
  MODEL: text.default(resolve(root, "models/rejoinder-tiny")),
  ADAPTER: text.optional(),
  QUANTIZATION: z.enum(["none", "int8", "int4"], "expected one of none, int8, int4").default("none"),
  KV_CACHE: z.enum(["fp32", "fp16", "int8"], "expected one of fp32, fp16, int8").default("fp32"),
  DEVICE: z.enum(devices, `expected one of ${devices.join(", ")}`).default("cpu"),
  THREADS: integer(1, 256).default(Math.min(availableParallelism(), 8)),
  REWARD: text.optional(),
  REDIS_URL: z.string().refine(isRedisUrl, "expected a URL such as redis://127.0.0.1:6379").optional(),
  DATABASE_URL: unsupported("the log is kept in SQLite under DATA_DIR"),
  ARTIFACTS_URL: unsupported("adapters are kept in folders under DATA_DIR"),
  RETRAIN_CRON: z.string().refine(isCronPattern, "expected a cron expression such as 0 3 * * *").optional(),
  RETRAIN_MIN_EXCHANGES: integer(1, 1_000_000_000).optional(),
  CONSENT_DEFAULT: flag.default(false),
  LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"], "expected a pino level or silent")
    .default("info"),
  ADMIN_EMAIL: unsupported("there is no sign-in yet"),
  ADMIN_PASSWORD: unsupported("there is no sign-in yet"),
  PUBLIC_CHAT: flag
    .refine((value) => value, "false is not supported in this version: there is no sign-in yet")
    .optional(),
  GATE_JUDGE: text.default(resolve(root, "models/toxicity-judge")),
  GATE_PROMPTS: text.optional(),
  GATE_LANGUAGE: z
    .string()
    .refine((code) => knownLanguages.has(code), "expected an ISO 639-1 code such as en")
    .default("en"),
  GATE_LIMITS: z.string().transform(toGateLimits).default(defaultGateLimits),
  HOLDOUT_SHARE: z
    .string()
    .regex(/^(0|0?\.\d{1,6})$/, "expected a share from 0 to below 1, such as 0.1")
    .transform(Number)
    .default(0.1),
  /** Put before every conversation of the chat page; none by default. */
  SYSTEM_PROMPT: text.optional(),
  /** Replies generated at once, and how many more may wait. */
  MAX_CONCURRENT: integer(1, 256).default(8),
  MAX_QUEUE: integer(0, 100_000).default(64),
  MAX_MESSAGE_CHARS: integer(1, 1_000_000).default(8000),
  ...rolloutSettingsShape,
  /** Where trainer programs run: in this process's charge, or on any machine with a `rejoinder worker`. */
  TRAINER: z.enum(["here", "worker"], "expected one of here, worker").default("here"),
  JOB_LOCK_SECONDS: integer(1, 3600).default(30),
});

export interface Config {
  port: number;
  host: string;
  dataDir: string;
  modelDir: string;
  /** Initial adapter: a folder, a version number or `base`; undefined takes what comes with the model. */
  adapter: string | undefined;
  /** Precision of the base model's weights, served and trained. */
  quantization: "none" | "int8" | "int4";
  /** Precision of cached keys and values. */
  kvCache: "fp32" | "fp16" | "int8";
  /** Where the model runs. */
  device: Device;
  /** Where quantized weights are kept when they cannot lie beside the checkpoint. */
  cacheDir: string;
  threads: number;
  /** A configuration file or a classifier's folder; undefined takes what comes with the product. */
  reward: string | undefined;
  retrainCron: string | undefined;
  retrainMinExchanges: number | undefined;
  /** Folder of the classifier that judges candidates; not the reward. */
  gateJudge: string;
  /** Held-out prompts besides those that come with the program. */
  gatePrompts: string | undefined;
  /** What replies should be in, by ISO 639-1 code. */
  gateLanguage: string;
  gateLimits: GateLimits;
  /** Share of the conversations that never train. */
  holdoutShare: number;
  consentDefault: boolean;
  logLevel: string;
  systemPrompt: string | undefined;
  maxConcurrent: number;
  maxQueue: number;
  maxMessageChars: number;
  rollout: RolloutSettings;
  /** Where jobs are kept; undefined keeps them in the store. May hold a password. */
  redisUrl: string | undefined;
  trainer: "here" | "worker";
  /** How long a process that is silent keeps its job, ms. */
  jobLockMs: number;
}

const names = Object.keys(settingsSchema.shape);
const flagName = (name: string) => name.toLowerCase().replaceAll("_", "-");

/** `--port 3000` for PORT, and so on. @throws SettingError */
function readFlags(args: readonly string[]): Record<string, string> {
  const options = Object.fromEntries(names.map((name) => [flagName(name), { type: "string" as const }]));
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
    const given: Record<string, string> = {};
    for (const name of names) {
      const value = values[flagName(name)];
      if (typeof value === "string") given[name] = value;
    }
    return given;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new SettingError(`${reason} (flags: ${names.map((name) => `--${flagName(name)}`).join(", ")})`, { cause });
  }
}

/**
 * Flags win over the environment; an empty environment variable counts as unset. Folders become absolute.
 * @throws SettingError with one sentence naming the first bad setting
 */
export function readConfig(environment: NodeJS.ProcessEnv, args: readonly string[] = []): Config {
  const flags = readFlags(args);
  const given: Record<string, string> = {};
  for (const name of names) {
    const value = flags[name] ?? environment[name];
    if (value !== undefined && (value !== "" || name in flags)) given[name] = value;
  }
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const name = String(issue?.path[0]);
    const secret = name.includes("PASSWORD") || name.endsWith("_URL");
    throw new SettingError(`${name}=${secret ? "…" : given[name]}: ${issue?.message ?? "is not valid"}.`);
  }
  const settings = parsed.data;
  if (settings.TRAINER === "worker" && settings.REDIS_URL === undefined) {
    throw new SettingError("TRAINER=worker: needs REDIS_URL, through which server and workers meet.");
  }
  return {
    port: settings.PORT,
    host: settings.HOST,
    dataDir: resolve(settings.DATA_DIR),
    modelDir: resolve(settings.MODEL),
    adapter: settings.ADAPTER,
    quantization: settings.QUANTIZATION,
    kvCache: settings.KV_CACHE,
    device: settings.DEVICE,
    cacheDir: resolve(settings.DATA_DIR, "quantized"),
    threads: settings.THREADS,
    reward: settings.REWARD === undefined ? undefined : resolve(settings.REWARD),
    retrainCron: settings.RETRAIN_CRON,
    retrainMinExchanges: settings.RETRAIN_MIN_EXCHANGES,
    gateJudge: resolve(settings.GATE_JUDGE),
    gatePrompts: settings.GATE_PROMPTS === undefined ? undefined : resolve(settings.GATE_PROMPTS),
    gateLanguage: settings.GATE_LANGUAGE,
    gateLimits: settings.GATE_LIMITS,
    holdoutShare: settings.HOLDOUT_SHARE,
    consentDefault: settings.CONSENT_DEFAULT,
    logLevel: settings.LOG_LEVEL,
    systemPrompt: settings.SYSTEM_PROMPT,
    maxConcurrent: settings.MAX_CONCURRENT,
    maxQueue: settings.MAX_QUEUE,
    maxMessageChars: settings.MAX_MESSAGE_CHARS,
    rollout: toRolloutSettings(settings),
    redisUrl: settings.REDIS_URL,
    trainer: settings.TRAINER,
    jobLockMs: 1000 * settings.JOB_LOCK_SECONDS,
  };
}
