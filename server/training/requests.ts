import { z } from "zod";
import { ppoSettingsSchema, rolloutShape, sftSettingsSchema } from "../../trainer/contract.ts";

/** The trainer's own, which a run of PPO falls back on. */
export const defaultMaxStaleness = 4;

/** Fewer exchanges than this teach nothing but noise. */
export const fewestExchanges = 8;

/** What fresh rollouts answer, one conversation whose last message is a user's. */
export const promptSchema = z.strictObject({
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string().min(1) }))
    .min(1)
    .refine((messages) => messages.at(-1)?.role === "user", "the last message must be the user's"),
});
export type RolloutPrompt = z.infer<typeof promptSchema>;

const rolloutsSchema = z.discriminatedUnion("source", [
  z.strictObject({ source: z.literal("log") }),
  z
    .strictObject(rolloutShape)
    .partial()
    .extend({
      source: z.literal("fresh"),
      /** Default: those of the logged exchanges that may train. */
      prompts: z.array(promptSchema).min(1).max(10_000).optional(),
    }),
]);

/** What runs of any algorithm may say. */
const anyRun = {
  /** Make the result live when it is sound. */
  promote: z.boolean().default(true),
  /**
   * `live`: go on from the live adapter. `clean`: from its newest ancestor that erased data did not touch, with what is
   * left of the exchanges of the runs since. `base`: begin a new adapter. A number: go on from that version, whatever its
   * state but rejected.
   */
  from: z.union([z.enum(["live", "clean", "base"]), z.int().min(1)]).default("live"),
  /** Train on at most so many exchanges: those not used yet or judged since first, the newest first. */
  maxExchanges: z.int().min(fewestExchanges).max(100_000).default(512),
};

/** Body of POST /api/training/runs; the run's row keeps it. Defaults of settings are the trainer's. */
export const startRunSchema = z.discriminatedUnion("algorithm", [
  z.strictObject({
    ...anyRun,
    algorithm: z.literal("ppo"),
    settings: ppoSettingsSchema.default({}),
    rollouts: rolloutsSchema.default({ source: "log" }),
  }),
  z.strictObject({ ...anyRun, algorithm: z.literal("sft"), settings: sftSettingsSchema.default({}) }),
]);
export type StartRun = z.infer<typeof startRunSchema>;
