/** The terms of a reward that nothing was configured for; docs/rewards.md says how the weights were found. */
import type { z } from "zod";
import type { termsSchema } from "./configuration.ts";

/**
 * The classifier's log-odds, halved, span ±3. Each penalty alone is larger than what the cleanest reply gains, so that no
 * dodge pays, and an annotator outweighs the classifier where the two disagree. Replies are wanted in English whatever the
 * message is in, the only language that the embedded models know.
 *
 * @param model classifier folder, or "embedded"
 */
export function defaultTerms(model: string): z.input<typeof termsSchema> {
  return {
    toxicity: { weight: 0.5, bound: 6, model },
    relevance: { weight: 2 },
    evasion: { weight: 4 },
    repetition: { weight: 3 },
    length: { weight: 2 },
    language: { weight: 5, expected: "en" },
    empty: { weight: 5 },
    annotation: { weight: 4 },
  };
}
