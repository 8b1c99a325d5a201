/**
 * How much an annotator's word counts: agreement with others on shared exchanges, corrected for chance, and shrunk
 * towards what a newcomer starts with while there is little to go by.
 *
 * For annotator a, with v the values of judgements:
 *
 *     D_a = mean over exchanges i that a shares of [ mean over the others b on i of (v_ai - v_bi)^2 ]
 *     D_e = mean of (v - v')^2 over all pairs of the N values on shared exchanges = 2 sum (v - mean)^2 / (N - 1)
 *     agreement_a = 1 - D_a / D_e                                  1 perfect, 0 chance, negative: against the others
 *     weight_a = clip((n_a agreement_a + k w_0) / (n_a + k), 0, 1)  n_a shared exchanges
 *
 * D_a / D_e is a's part of the disagreement in Krippendorff's alpha with the interval metric (Krippendorff, "Computing
 * Krippendorff's Alpha-Reliability", 2011, section D), so that "good" against "ok" is a smaller quarrel than "good"
 * against "toxic". The shrinkage is the mean of k pseudo-exchanges judged at w_0, as a prior in Dawid and Skene 1979
 * would be; their full confusion matrices want more labels an annotator than a small installation ever has.
 */
import { byExchange, type Judgement, judgementValue } from "./judgement.ts";

/** Weight of an annotator who shares no exchange with anyone. */
export const newcomerWeight = 0.5;
/** k: so many shared exchanges count as much as the prior. */
export const priorExchanges = 10;

export interface AnnotatorWeight {
  /** 0..1. */
  weight: number;
  /** 1 - D_a / D_e; null without shared exchanges or variation. */
  agreement: number | null;
  /** Exchanges that this annotator shares with another. */
  shared: number;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** D_e; 0 when all values are the same or there is no pair. */
function expectedDisagreement(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  return (2 * values.reduce((sum, value) => sum + (value - centre) ** 2, 0)) / (values.length - 1);
}

/** @param judgements annotators' alone, one an annotator and exchange @returns by annotator */
export function annotatorWeights(judgements: readonly Judgement[]): Map<string, AnnotatorWeight> {
  const disagreements = new Map<string, number[]>();
  const sharedValues: number[] = [];
  for (const { judge } of judgements) disagreements.set(judge, []);
  for (const group of byExchange(judgements).values()) {
    if (group.length < 2) continue;
    for (const own of group) {
      const value = judgementValue(own);
      sharedValues.push(value);
      const others = group.filter((other) => other !== own);
      disagreements.get(own.judge)?.push(mean(others.map((other) => (value - judgementValue(other)) ** 2)));
    }
  }
  const expected = expectedDisagreement(sharedValues);
  const weights = new Map<string, AnnotatorWeight>();
  for (const [judge, found] of disagreements) {
    const shared = found.length;
    const agreement = shared === 0 || expected === 0 ? null : 1 - mean(found) / expected;
    const told = agreement === null ? 0 : shared;
    const weight = (told * (agreement ?? 0) + priorExchanges * newcomerWeight) / (told + priorExchanges);
    weights.set(judge, { weight: Math.max(0, Math.min(1, weight)), agreement, shared });
  }
  return weights;
}
