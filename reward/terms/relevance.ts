import type { Similarity } from "../relevance/similarity.ts";
import type { Term } from "./term.ts";

export interface RelevanceRange {
  /** Similarity of texts that have nothing to do with each other: worth 0. */
  unrelated: number;
  /** Similarity of an ordinary answer to its message: worth 1, and so is every larger one, or copies would be best. */
  related: number;
}

/** How near the reply is to the last message, 0..1. */
export function relevanceTerm(similarity: Similarity, { unrelated, related }: RelevanceRange): Term {
  return {
    identity: { code: 1, model: similarity.version, unrelated, related },
    async values(inputs) {
      const similarities = await similarity.ofPairs(inputs);
      return similarities.map((value) => Math.max(0, Math.min(1, (value - unrelated) / (related - unrelated))));
    },
    dispose: () => similarity.dispose(),
  };
}
