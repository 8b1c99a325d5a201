import { hashFraction } from "./split.ts";

/**
 * How often a source's documents are seen in one pass over the pre-training corpus; 1 where nothing is said.
 * Counter-narratives are what the model is for; SGD is large, and all about booking tables.
 */
const passes: Record<string, number> = {
  dialoconan: 3,
  "multitarget-conan": 3,
  conan: 3,
  "kn-grounded": 3,
  "intent-conan": 2,
  sgd: 0.3,
};

/** Copies of one document in the corpus; a fraction of a pass keeps that share of the documents, chosen by hash. */
export function copiesInMixture(source: string, key: string): number {
  const wanted = passes[source] ?? 1;
  const whole = Math.floor(wanted);
  return whole + (hashFraction(key) < wanted - whole ? 1 : 0);
}
