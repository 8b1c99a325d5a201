import type { ExchangeReward } from "../types.ts";

/**
 * A logged reward with its annotation term made anew, as people have more to say after the reply was scored.
 * @param annotationValue -1..1, as `judgementTerm` gives it
 * @param weight of the annotation term in this reward
 */
export function rejudge(logged: ExchangeReward, annotationValue: number, weight: number): ExchangeReward {
  // `+ 0` turns -0 into 0: a term that does not apply reads 0 in logs and JSON.
  const terms = { ...logged.terms, annotation: weight * annotationValue + 0 };
  return { version: logged.version, total: Object.values(terms).reduce((sum, term) => sum + term, 0), terms };
}
