/** Judgements that look arranged rather than made, and what finding them needs to know of each. */
import { type Judgement, judgementValue } from "./judgement.ts";

export interface Suspicion {
  kind: "burst" | "copies";
  reason: string;
  judges: string[];
  /** Ids of the judgements set aside. */
  judgements: string[];
  /** Times of the first and the last of them. */
  from: string;
  to: string;
}

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
/** An annotator is proven by so many judgements that are older than a day. */
const provenJudgements = 10;

export interface TimedJudgement extends Judgement {
  /** Milliseconds since 1970. */
  time: number;
  /** Its annotator was proven by then. */
  proven: boolean;
}

export const isFlag = (judgement: Judgement) => judgementValue(judgement) < 0;

/** @returns by time */
export function withTimes(judgements: readonly Judgement[]): TimedJudgement[] {
  const sorted = judgements
    .map((judgement) => ({ ...judgement, time: Date.parse(judgement.at) }))
    .sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1));
  const own = new Map<string, number[]>();
  for (const { judge, time } of sorted) {
    const first = own.get(judge);
    if (first === undefined) own.set(judge, [time]);
    else if (first.length < provenJudgements) first.push(time);
  }
  return sorted.map((judgement) => {
    const tenth = own.get(judgement.judge)?.[provenJudgements - 1];
    return { ...judgement, proven: tenth !== undefined && tenth <= judgement.time - dayMs };
  });
}

export function report(kind: Suspicion["kind"], found: readonly TimedJudgement[], reason: string): Suspicion {
  const times = found.map(({ time }) => time).sort((a, b) => a - b);
  return {
    kind,
    reason,
    judges: [...new Set(found.map(({ judge }) => judge))].sort(),
    judgements: found.map(({ id }) => id),
    from: new Date(times[0] ?? 0).toISOString(),
    to: new Date(times.at(-1) ?? 0).toISOString(),
  };
}
