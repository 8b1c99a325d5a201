/** The terms of a reward that nothing was configured for; docs/rewards.md says how the weights were found. */
import type { z } from "zod";
import type { termsSchema } from "./configuration.ts";

/**
 * The classifier's log-odds, halved, span -3 to 1.5; relevance adds up to 3, so that of harmless replies those win that
 * answer the message. A reply that dodges, loops, says nothing or is in another language loses more than the 1.5 that it
 * gains by being harmless. Replies are wanted in English whatever the message is in, the only language that the embedded
 * models know.
 *
 * @param model classifier folder, or "embedded"
 */
export function defaultTerms(model: string): z.input<typeof termsSchema> {
  return {
    toxicity: { weight: 0.5, bound: 6, enough: 3, model },
    relevance: { weight: 3 },
    evasion: { weight: 4 },
    repetition: { weight: 3 },
    length: { weight: 2 },
    language: { weight: 5, expected: "en" },
    empty: { weight: 5 },
    annotation: { weight: 4 },
  };
}
