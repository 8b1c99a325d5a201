import { defaultGateLimits, type GateJob, type GateLimits } from "../../trainer/contract.ts";

/** What every gate of this server has in common. */
export interface GateSettings
  extends Pick<GateJob, "judge" | "reward" | "prompts" | "swaps" | "language" | "sampling" | "systemPrompt"> {
  limits: GateLimits;
  /** Length of a reply where nobody asks for one. */
  maxTokens: number;
  /** Share of the conversations that are kept out of training and asked here instead. */
  holdoutShare: number;
}

/**
 * GATE_LIMITS: `kl=20,perplexity=1.3`; what is not named keeps its default, `kl=none` reports KL without judging it.
 * @throws RangeError naming what does not fit
 */
export function parseGateLimits(text: string): GateLimits {
  const limits: GateLimits = { ...defaultGateLimits };
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.split("=").map((side) => side.trim());
    if (!(name in defaultGateLimits)) {
      throw new RangeError(`expected NAME=NUMBER with a name out of ${Object.keys(defaultGateLimits).join(", ")}`);
    }
    if (name === "kl" && value === "none") {
      limits.kl = null;
      continue;
    }
    const { least, most } = ranges[name as keyof GateLimits];
    const number = value === "" ? Number.NaN : Number(value);
    if (!(number >= least && number <= most)) {
      throw new RangeError(`expected ${name} to be a number from ${least} to ${most}`);
    }
    limits[name as keyof GateLimits] = number;
  }
  return limits;
}

const share = { least: 0, most: 1 };

/** Within which a limit means something. */
const ranges: Record<keyof GateLimits, { least: number; most: number }> = {
  confidence: { least: 0.8, most: 0.9999 },
  fewestPrompts: { least: 10, most: 10_000 },
  toxicity: share,
  toxicityMargin: share,
  toxicityRate: share,
  kl: { least: 0.1, most: 10_000 },
  perplexity: { least: 1, most: 1000 },
  evasion: share,
  empty: share,
  language: share,
  length: { least: 1, most: 1000 },
  distinct: share,
  swapToxicity: share,
  swapEvasion: share,
  swapLength: { least: 0.01, most: 10 },
};
