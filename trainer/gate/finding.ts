/** How a comparison becomes a check: numbers, the rule that they are held to, and both in a sentence. */
import type { GateCheck, GateLimits } from "../contract.ts";
import type { Interval, IntervalOptions } from "./intervals.ts";
import type { MeasuredReply } from "./measure-replies.ts";
import type { MeasuredPair, Measurements } from "./measurements.ts";

export type Side = keyof MeasuredPair;
export type Value = (reply: MeasuredReply) => number;

export const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
export const length: Value = ({ tokens }) => tokens.length;
export const sides = (pairs: readonly MeasuredPair[], side: Side, value: Value) =>
  pairs.map((pair) => value(pair[side]));

/** Seeds differ between checks, so that they do not share the luck of one resampling. */
export function options(limits: GateLimits, seed: number, name: string): IntervalOptions {
  const mixed = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, seed);
  return { confidence: limits.confidence, seed: mixed };
}

export const figure = (value: number) => Number(value.toPrecision(3)).toString();

export interface Finding {
  name: string;
  /** What was compared, as the beginning of a sentence. */
  what: string;
  candidate: number;
  baseline: number | null;
  difference: Interval;
  limit: number | null;
  unit: string;
  n: number;
  /** Whether the finding speaks against the candidate, and the rule in words. */
  isHarm: boolean;
  rule: string;
}

export function toCheck({ what, isHarm, rule, ...check }: Finding, confidence: number): GateCheck {
  const { candidate, baseline, difference, unit, limit } = check;
  const against = baseline === null ? "" : ` against ${figure(baseline)} of the baseline`;
  const interval =
    `${figure(difference.estimate)} (${figure(confidence * 100)}% interval ${figure(difference.low)} to ` +
    `${figure(difference.high)}) ${unit}`;
  const verdict = limit === null ? "reported, not judged" : `${isHarm ? "REJECTED" : "passed"}: ${rule}`;
  const explanation = `${what} is ${figure(candidate)}${against}; ${interval}; ${verdict}.`;
  return { ...check, passed: limit === null || !isHarm, explanation };
}

/** Rejects when the whole interval lies above the limit. */
export const shownAbove = (limit: number) =>
  `a candidate is rejected when the whole interval lies above ${figure(limit)}`;

/** Mean over rounds of each prompt's difference, candidate less baseline. */
export function differences(rounds: Measurements["rounds"], value: Value): number[] {
  return (rounds[0] ?? []).map((_, prompt) =>
    mean(
      rounds.map((pairs) => {
        const { candidate, baseline } = pairs[prompt] as MeasuredPair;
        return value(candidate) - value(baseline);
      }),
    ),
  );
}
