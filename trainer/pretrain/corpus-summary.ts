import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Raise this whenever cleaning, selection or encoding changes, so that older outputs are made anew. */
export const corpusRecipe = 3;

const sftSummary = z.object({
  examples: z.number(),
  replyTokens: z.number(),
  bySource: z.record(z.string(), z.number()),
});

const corpusSummary = z.object({
  recipe: z.number(),
  seed: z.number(),
  vocabularySize: z.number(),
  /** sha256 of every data file (`data/...`), of the tokenizer and of what was written, by name. */
  hashes: z.record(z.string(), z.string()),
  tokens: z.object({ train: z.number(), heldOut: z.number() }),
  /** Documents and tokens of each source, train and held-out together; `share` is of all tokens. */
  sources: z.record(z.string(), z.object({ documents: z.number(), tokens: z.number(), share: z.number() })),
  sft: z.object({ train: sftSummary, validation: sftSummary, test: sftSummary }),
});

/** What `corpus.json` holds. */
export type CorpusSummary = z.infer<typeof corpusSummary>;

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** sha256 of each file below `dataDir` that a corpus may be made of, by `data/` and its path. */
export function hashDataSets(dataDir: string): Record<string, string> {
  const files = readdirSync(dataDir, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith("perspective_scored") && statSync(join(dataDir, name)).isFile())
    .sort();
  if (files.length === 0) throw new Error(`${dataDir}: expected the public data sets, found no files`);
  return Object.fromEntries(files.map((name) => [`data/${name}`, sha256(readFileSync(join(dataDir, name)))]));
}

/** The summary in `outDir` if it was made by this recipe and seed from files with these hashes, all still in place. */
export function finishedSummary(
  outDir: string,
  seed: number,
  expectedHashes: Record<string, string>,
): CorpusSummary | undefined {
  const path = join(outDir, "corpus.json");
  if (!existsSync(path)) return undefined;
  const parsed = corpusSummary.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (!parsed.success || parsed.data.recipe !== corpusRecipe || parsed.data.seed !== seed) return undefined;
  const { hashes } = parsed.data;
  const sameInputs = Object.entries(expectedHashes).every(([name, hash]) => hashes[name] === hash);
  const outputs = Object.keys(hashes).filter((name) => !(name in expectedHashes));
  return sameInputs && outputs.every((name) => existsSync(join(outDir, name))) ? parsed.data : undefined;
}
