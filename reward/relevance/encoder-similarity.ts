/** Similarity by an encoder from Hugging Face without a classification head, such as a sentence transformer. */
import { availableParallelism } from "node:os";
import { createEncoder } from "../../engine/encoder/encoder-client.ts";
import type { RelevanceRange } from "../terms/relevance.ts";
import { versionOf } from "../version.ts";
import type { Similarity } from "./similarity.ts";

/** Sentence transformers give unrelated texts about 0.1 and a reply that is to the point about 0.6. */
const range: RelevanceRange = { unrelated: 0.1, related: 0.6 };

/** @throws CheckpointError naming the file that is missing or damaged; Error for a folder that holds a classifier */
export async function loadEncoderSimilarity(
  folder: string,
): Promise<{ similarity: Similarity; range: RelevanceRange }> {
  const encoder = await createEncoder({ folder, threads: Math.min(2, availableParallelism()) });
  if (encoder.info.labels.length > 0) {
    await encoder.dispose();
    throw new Error(`${folder}: is a classifier; relevance needs an encoder that embeds texts`);
  }
  const similarity: Similarity = {
    version: versionOf({ code: 1, encoder: encoder.info.sha256 }),
    async ofPairs(pairs) {
      const texts = [...new Set(pairs.flatMap(({ prompt, reply }) => [prompt, reply]))];
      const vectors = await encoder.embed(texts, { normalize: true });
      const byText = new Map(texts.map((text, i) => [text, vectors[i] as Float32Array]));
      return pairs.map(({ prompt, reply }) => {
        if (prompt.trim() === "" || reply.trim() === "") return 0;
        return dot(byText.get(prompt) as Float32Array, byText.get(reply) as Float32Array);
      });
    },
    dispose: () => encoder.dispose(),
  };
  return { similarity, range };
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
