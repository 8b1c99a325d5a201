import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hashingFile } from "../../engine/checkpoint/file-hash.ts";
import { inSlices, longRest } from "../../engine/in-slices.ts";
import { CheckpointError } from "../../engine/types.ts";

/** JSON has no NaN: a run that diverged left null in its place. */
const reportedNumber = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** Log-probs (nats, temperature 1) that the trainer computed for tokens[from..] of one sample with this adapter. */
export const adapterProbeSchema = z
  .object({
    tokens: z.array(z.int().min(0)).min(2),
    from: z.int().min(1),
    logProbs: z.array(reportedNumber),
  })
  .refine((probe) => probe.logProbs.length === probe.tokens.length - probe.from, {
    message: "logProbs must hold one value for each of tokens[from..]",
  });
export type AdapterProbe = z.infer<typeof adapterProbeSchema>;

/** `rejoinder.json`: where an adapter comes from. Fields that others add are kept out of our way. */
const manifestSchema = z.object({
  name: z.string().min(1).optional(),
  parent: z.object({ version: z.int().min(0) }).nullish(),
  /** sha256 of the base model's weights, and the precision in which they were multiplied when it was trained. */
  baseModel: z.object({ sha256: z.string(), quantization: z.enum(["none", "int8", "int4"]).default("none") }),
  /** Of adapter_model.safetensors when the folder was written. */
  sha256: z.string().optional(),
  metrics: z.record(z.string(), reportedNumber).default({}),
  probe: adapterProbeSchema.optional(),
});
export type AdapterManifest = z.infer<typeof manifestSchema>;

const peftConfigSchema = z.object({
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  target_modules: z.array(z.string()).min(1),
});

export interface AdapterFolder {
  folder: string;
  /** Of adapter_model.safetensors; an adapter is known by it. */
  sha256: string;
  rank: number;
  alpha: number;
  targetModules: string[];
  manifest: AdapterManifest;
}

async function hashWeights(file: string): Promise<string> {
  try {
    return await inSlices(hashingFile(file), longRest);
  } catch (cause) {
    throw new CheckpointError(`Cannot read the adapter's weights ${file}`, { cause });
  }
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new CheckpointError(`Cannot read ${file} of an adapter: expected a JSON file`, { cause });
  }
  const parsed = schema.safeParse(content);
  if (!parsed.success) throw new CheckpointError(`${file} does not fit: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/**
 * Reads what identifies an adapter folder (PEFT files plus rejoinder.json) and checks that it was made for this base.
 * The weights themselves are checked when the engine loads them.
 * @throws CheckpointError naming the file
 */
export async function readAdapterFolder(folder: string, baseSha256: string): Promise<AdapterFolder> {
  const manifestFile = join(folder, "rejoinder.json");
  const manifest = await readJson(manifestFile, manifestSchema);
  if (manifest.baseModel.sha256 !== baseSha256) {
    throw new CheckpointError(
      `${manifestFile}: the adapter was made for the base model with sha256 ${manifest.baseModel.sha256}, ` +
        `but the one served has ${baseSha256}`,
    );
  }
  const config = await readJson(join(folder, "adapter_config.json"), peftConfigSchema);
  const weightsFile = join(folder, "adapter_model.safetensors");
  const sha256 = await hashWeights(weightsFile);
  if (manifest.sha256 !== undefined && manifest.sha256 !== sha256) {
    throw new CheckpointError(
      `${weightsFile} was changed: rejoinder.json names sha256 ${manifest.sha256}, it has ${sha256}`,
    );
  }
  return {
    folder,
    sha256,
    rank: config.r,
    alpha: config.lora_alpha,
    targetModules: config.target_modules,
    manifest,
  };
}
