/**
 * The judgements of one exchange as a number in -1..1: their mean by weight, in which nobody has more than a bounded
 * part.
 *
 *     share_j = s_j min(c, w_j / max(1, sum w))        term = sum_j share_j v_j
 *
 * w is a judge's weight (annotator-weights.ts; small and fixed for a chatter's thumb), c the most that one judge has in an
 * exchange, and s <= 1 the factor that keeps a judge's shares, summed over a run, within `maxRunShare` of the number of
 * the run's judged exchanges. Where weights sum to less than 1 the rest stands for 0: one weak voice is a weak term.
 *
 * With c >= 1/2, giving, taking back or turning round one judgement moves the term by at most 2 c, which is the share c of
 * the width of -1..1.
 */
import { annotatorWeights, newcomerWeight } from "./annotator-weights.ts";
import { findSuspicions } from "./brigading.ts";
import { byExchange, type Judgement, judgeKey, judgementValue } from "./judgement.ts";
import type { Suspicion } from "./suspicion.ts";

/** c: one judge alone gives half of the term, whole terms take two. */
export const maxExchangeShare = 0.5;
/** Of the judged exchanges of a run, as many as one judge may decide alone. */
export const maxRunShare = 1 / 3;
/** A chatter's thumb against an annotator's judgement: about their own exchange, unasked, and anybody can have one. */
export const thumbWeight = 0.15;

/** What everybody's judgements say about each judge; made once, used for each exchange. */
export interface JudgementContext {
  /** By `judgeKey`, 0..1. */
  weights: ReadonlyMap<string, number>;
  /** By `judgeKey`, the factor s; 1 where it is missing. */
  scales: ReadonlyMap<string, number>;
  /** Judgements that do not count, by id, and why. */
  setAside: ReadonlyMap<string, string>;
  suspicions: readonly Suspicion[];
}

function weightOf(judgement: Judgement, context: Pick<JudgementContext, "weights">): number {
  if (judgement.source === "chatter") return thumbWeight;
  return context.weights.get(judgeKey(judgement)) ?? newcomerWeight;
}

type Shared = { judgement: Judgement; share: number };

function sharesOf(judgements: readonly Judgement[], context: Omit<JudgementContext, "suspicions">): Shared[] {
  const counted = judgements.filter(({ id }) => !context.setAside.has(id));
  const total = counted.reduce((sum, judgement) => sum + weightOf(judgement, context), 0);
  return counted.map((judgement) => {
    const share = Math.min(maxExchangeShare, weightOf(judgement, context) / Math.max(1, total));
    return { judgement, share: share * (context.scales.get(judgeKey(judgement)) ?? 1) };
  });
}

/** @param judgements of one exchange @returns -1..1; 0 where nobody has judged, or nobody who counts */
export function judgementTerm(judgements: readonly Judgement[], context: JudgementContext): number {
  return sharesOf(judgements, context).reduce(
    (sum, { judgement, share }) => sum + share * judgementValue(judgement),
    0,
  );
}

/** The factor s of every judge who would have more than their part of these exchanges. */
function runScales(
  exchanges: ReadonlyMap<string, readonly Judgement[]>,
  context: Pick<JudgementContext, "weights" | "setAside">,
): Map<string, number> {
  const sums = new Map<string, number>();
  let judged = 0;
  for (const judgements of exchanges.values()) {
    const shares = sharesOf(judgements, { ...context, scales: new Map() });
    if (shares.length > 0) judged += 1;
    for (const { judgement, share } of shares) {
      const key = judgeKey(judgement);
      sums.set(key, (sums.get(key) ?? 0) + share);
    }
  }
  const most = maxRunShare * judged;
  return new Map([...sums].filter(([, sum]) => sum > most).map(([key, sum]) => [key, most / sum]));
}

/**
 * Yields between its parts, so that a long history holds up nobody.
 * @param history every judgement there is: agreement and brigades show only in the whole
 * @param inRun the exchanges of the run that the influence of each judge is bounded over; all when not given
 */
export function* judgementContext(
  history: readonly Judgement[],
  inRun?: ReadonlySet<string>,
): Generator<undefined, JudgementContext> {
  const suspicions = yield* findSuspicions(history);
  const setAside = new Map<string, string>();
  for (const { judgements, reason } of suspicions) for (const id of judgements) setAside.set(id, reason);
  for (const { id, review } of history) if (review === "excluded") setAside.set(id, "excluded by an operator");

  const counted = history.filter(({ id, source }) => source === "annotator" && !setAside.has(id));
  const weights = new Map<string, number>();
  for (const [judge, { weight }] of annotatorWeights(counted))
    weights.set(judgeKey({ source: "annotator", judge }), weight);

  yield;
  const run = inRun === undefined ? history : history.filter(({ exchangeId }) => inRun.has(exchangeId));
  return { weights, setAside, suspicions, scales: runScales(byExchange(run), { weights, setAside }) };
}
