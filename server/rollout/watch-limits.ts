/**
 * When an adapter is taken to be beyond a limit. Each measure has two: an absolute one, and one relative to the adapter
 * before. Each is tested by a confidence sequence, so that it may be looked at after every reply.
 *
 * False alarms: an adapter within all its limits is ever taken away with probability `falseAlarms` at most, over its
 * whole life. That is shared out among 4 measures times 2 limits; of a share, chapter k = 1, 2, .. gets 1/(k (k + 1)),
 * which sums to 1. A relative limit spends half its share on the bound of the adapter before.
 */
import { evidenceAbove, lowerBound, upperBound } from "./confidence-sequence.ts";
import type { WatchSettings } from "./settings.ts";
import type { UnitTally } from "./unit-tally.ts";
import type { Chapter } from "./watch-period.ts";

export const falseAlarms = 0.01;

export type Measure = keyof WatchSettings["limits"];

const words: Record<Measure, string> = {
  toxicityRate: "the share of toxic replies",
  meanToxicity: "the mean toxicity",
  flagRate: "the share of flagged replies",
  errorRate: "the share of failed replies",
};
const share = falseAlarms / Object.keys(words).length / 2;

/** The tallies of a chapter; that of the flags is known only where somebody looked them up. */
export function measuresOf(chapter: Chapter, flagged?: UnitTally): Partial<Record<Measure, UnitTally>> {
  return {
    toxicityRate: chapter.toxic,
    meanToxicity: chapter.toxicity,
    errorRate: chapter.failed,
    ...(flagged === undefined ? {} : { flagRate: flagged }),
  };
}

export interface WatchLimits {
  absolute: Record<Measure, number>;
  /** Null for a measure of which the adapter before has too few replies. */
  relative: Record<Measure, { limit: number; before: number } | null>;
  /** Name of the adapter before. */
  beforeName: string;
}

/** @param before what the adapter before did, if enough is known of it */
export function createLimits(
  settings: WatchSettings,
  beforeName: string,
  before: Partial<Record<Measure, UnitTally>>,
): WatchLimits {
  const relative = (measure: Measure) => {
    const tally = before[measure];
    if (tally === undefined || tally.n < settings.minReplies) return null;
    const limit = upperBound(tally, share / 2) + settings.maxIncrease;
    return { limit, before: tally.sum / tally.n };
  };
  return {
    absolute: settings.limits,
    relative: {
      toxicityRate: relative("toxicityRate"),
      meanToxicity: relative("meanToxicity"),
      flagRate: relative("flagRate"),
      errorRate: relative("errorRate"),
    },
    beforeName,
  };
}

const figure = (value: number) => value.toFixed(2);

/**
 * What an adapter does beyond its limits, in one sentence with figures; null when nothing shows that it does.
 * @param chapter its number, from 1
 */
export function findBreach(
  measured: Partial<Record<Measure, UnitTally>>,
  chapter: number,
  { absolute, relative, beforeName }: WatchLimits,
): string | null {
  const alpha = share / (chapter * (chapter + 1));
  for (const measure of Object.keys(words) as Measure[]) {
    const tally = measured[measure];
    if (tally === undefined) continue;
    const isAbove = (limit: number, spent: number) => evidenceAbove(tally, limit) >= Math.log(1 / spent);
    const found = (spent: number) =>
      `${words[measure]} is ${figure(tally.sum / tally.n)} over ${tally.n} replies, ` +
      `at least ${figure(lowerBound(tally, spent))} beyond doubt`;
    if (isAbove(absolute[measure], alpha)) return `${found(alpha)}; the limit is ${figure(absolute[measure])}`;
    const other = relative[measure];
    if (other !== null && isAbove(other.limit, alpha / 2)) {
      return `${found(alpha / 2)}; ${beforeName} had ${figure(other.before)}, which allows ${figure(other.limit)}`;
    }
  }
  return null;
}
