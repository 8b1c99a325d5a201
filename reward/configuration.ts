/** What a reward consists of, as a configuration file says it (docs/rewards.md). */
import { readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { parse as parseYaml, YAMLParseError } from "yaml";
import { z } from "zod";
import { knownLanguages } from "./text/language.ts";

const weight = z.number().min(0);
const share = z.number().min(0).lt(1);
const words = z.number().int().min(0);
const language = z.string().refine((code) => knownLanguages.has(code), "expected a known ISO 639-1 code such as en");
const range = { bound: z.number().positive().default(6), enough: z.number().positive().default(3) };

const perspectiveShape = {
  endpoint: z.url().default("https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze"),
  /** The key itself; better named by `keyVariable`, so that the file holds no secret. */
  key: z.string().min(1).optional(),
  /** Environment variable that holds the key; null for a server that asks for none. */
  keyVariable: z.string().min(1).nullable().default("PERSPECTIVE_API_KEY"),
  attributes: z
    .array(z.string().min(1))
    .default(["SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT"]),
  language: z.string().min(2).nullable().default("en"),
  requestsPerSecond: z.number().positive().max(1000).default(1),
  timeoutMs: z.number().int().min(1).default(5000),
  retries: z.number().int().min(0).default(3),
  backoffMs: z.number().int().min(1).default(500),
};
const perspectiveSchema = z.strictObject(perspectiveShape);

/** A folder of a classifier, or a service. */
const modelSchema = z.union([z.string().min(1), z.strictObject({ perspective: perspectiveSchema })]);

export const termsSchema = z.strictObject({
  toxicity: z.strictObject({ weight, ...range, model: z.string().min(1).default("embedded") }).optional(),
  ensemble: z
    .strictObject({
      weight,
      ...range,
      models: z.array(modelSchema).min(2),
      combine: z.enum(["mean", "minimum"]).default("mean"),
      disagreement: z.number().min(0).default(0),
    })
    .optional(),
  perspective: z.strictObject({ weight, ...range, ...perspectiveShape }).optional(),
  relevance: z
    .strictObject({
      weight,
      model: z.string().min(1).default("embedded"),
      unrelated: z.number().min(-1).max(1).optional(),
      related: z.number().min(-1).max(1).optional(),
    })
    .optional(),
  evasion: z.strictObject({ weight, ordinary: share.default(0.25) }).optional(),
  repetition: z.strictObject({ weight, ordinary: share.default(0.2) }).optional(),
  length: z
    .strictObject({ weight, least: words.default(10), most: words.min(1).default(100) })
    .refine(({ least, most }) => least <= most, "expected least to be at most most")
    .optional(),
  language: z.strictObject({ weight, expected: z.union([z.literal("prompt"), language]).default("prompt") }).optional(),
  empty: z.strictObject({ weight }).optional(),
  annotation: z.strictObject({ weight }).optional(),
});

const configurationSchema = z.strictObject({
  name: z.string().min(1).optional(),
  terms: termsSchema.refine((terms) => Object.keys(terms).length > 0, "expected at least one term"),
});

export type PerspectiveSettings = z.infer<typeof perspectiveSchema>;
export type ModelSettings = z.infer<typeof modelSchema>;
export type TermSettings = z.infer<typeof termsSchema>;

export interface RewardConfiguration {
  name: string | undefined;
  terms: TermSettings;
  /** Folders in `terms` are meant from here. */
  folder: string;
}

/** @throws Error naming the file and the place in it that is wrong */
export function readConfiguration(path: string): RewardConfiguration {
  const { name, terms } = parseConfiguration(parseFile(path), path);
  return { name, terms, folder: dirname(resolve(path)) };
}

/** @param source named in errors */
export function parseConfiguration(value: unknown, source: string): z.infer<typeof configurationSchema> {
  const parsed = configurationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.length ? `${issue.path.join(".")}: ` : "";
  throw new Error(`${source}: ${place}${issue?.message}`);
}

function parseFile(path: string): unknown {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`${path}: cannot be read`, { cause });
  }
  try {
    return extname(path).toLowerCase() === ".json" ? JSON.parse(content) : parseYaml(content);
  } catch (cause) {
    const kind = cause instanceof YAMLParseError ? "YAML" : extname(path).toLowerCase() === ".json" ? "JSON" : "YAML";
    throw new Error(`${path}: is not ${kind}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
