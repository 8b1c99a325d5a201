import type { RelevanceRange } from "../terms/relevance.ts";
import { versionOf } from "../version.ts";
import type { Similarity } from "./similarity.ts";
import { readStemTable } from "./stem-table.ts";
import { similarity, textVector } from "./text-vector.ts";

/** Of counter-narratives: the mean with messages that they do not answer, and the median with those they do. */
const range: RelevanceRange = { unrelated: 0.03, related: 0.18 };

/**
 * Similarity by shared and kindred words, from a folder as `reward/train/relevance/train.ts` writes it.
 * @throws Error naming the file that is missing or damaged
 */
export function loadEmbeddedSimilarity(folder: string): { similarity: Similarity; range: RelevanceRange } {
  const { table, config } = readStemTable(folder);
  return {
    range,
    similarity: {
      version: versionOf({ code: 1, config }),
      async ofPairs(pairs) {
        return pairs.map(({ prompt, reply }) => similarity(textVector(prompt, table), textVector(reply, table)));
      },
      dispose: async () => undefined,
    },
  };
}
