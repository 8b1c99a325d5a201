/** What is known of each stem: how much it tells, and what kind of words it stands among. Read from a folder. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { encodeSafetensors, openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";

export interface StemTable {
  /** Stem to its row below. */
  rows: ReadonlyMap<string, number>;
  /** [rows] inverse document frequency, in nats. */
  idf: Float32Array;
  /** The same for a stem without a row. */
  unknownIdf: number;
  /** [rows, dimensions], each row of length 1. */
  vectors: Float32Array;
  dimensions: number;
}

const configSchema = z.object({
  format: z.literal("rejoinder-relevance"),
  dimensions: z.number().int().min(1),
  unknownIdf: z.number().positive(),
  weights: z.object({ file: z.string(), sha256: z.string() }),
  /** In the order of the rows. */
  stems: z.array(z.string().min(1)).min(1),
});

/**
 * @returns the table, and the text of its config.json, which names the hash of its weights
 * @throws Error naming the file that is missing or damaged
 */
export function readStemTable(folder: string): { table: StemTable; config: string } {
  const path = join(folder, "config.json");
  let text: string;
  let value: unknown;
  try {
    text = readFileSync(path, "utf8");
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path}: cannot be read as JSON`, { cause });
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${path}: ${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { dimensions, unknownIdf, weights, stems } = parsed.data;
  const weightsPath = join(folder, weights.file);
  const sha256 = createHash("sha256").update(readFileSync(weightsPath)).digest("hex");
  if (sha256 !== weights.sha256) {
    throw new Error(`${weightsPath}: expected sha256 ${weights.sha256} by config.json, got ${sha256}`);
  }
  const file = openSafetensors(weightsPath);
  const idf = readTensor(file, "idf");
  const vectors = readTensor(file, "vectors");
  if (idf.length !== stems.length || vectors.length !== stems.length * dimensions) {
    throw new Error(`${weightsPath}: expected idf and vectors of ${stems.length} stems, ${dimensions} numbers each`);
  }
  const rows = new Map(stems.map((stem, row) => [stem, row]));
  return { table: { rows, idf, unknownIdf, vectors, dimensions }, config: text };
}

/** Writes the folder that `readStemTable` reads; numbers are stored in bfloat16. */
export function writeStemTable(folder: string, { rows, idf, unknownIdf, vectors, dimensions }: StemTable): void {
  const tensors = new Map([
    ["idf", { data: idf, shape: [rows.size] }],
    ["vectors", { data: vectors, shape: [rows.size, dimensions] }],
  ]);
  const weights = encodeSafetensors(tensors, "BF16");
  const sha256 = createHash("sha256").update(weights).digest("hex");
  const config: z.input<typeof configSchema> = {
    format: "rejoinder-relevance",
    dimensions,
    unknownIdf,
    weights: { file: "model.safetensors", sha256 },
    stems: [...rows.keys()],
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, config.weights.file), weights);
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config)}\n`);
}
