export type ToxicityLevel = "low" | "medium" | "high";

/** Low below .33, medium below .66, high from there: the thresholds of the Toxicity Meter's transitions. */
export function levelOf(toxicity: number): ToxicityLevel {
  if (toxicity < 0.33) return "low";
  return toxicity < 0.66 ? "medium" : "high";
}
