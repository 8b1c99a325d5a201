/** What a person said about one logged reply, whoever they are: an annotator, or the chatter by thumb. */
import type { ExchangeJudgement } from "../types.ts";

export interface Judgement {
  /** Names the judgement in reports. */
  id: string;
  exchangeId: string;
  /** Who judges, unique within the source. At most one judgement a judge and exchange. */
  judge: string;
  source: "annotator" | "chatter";
  label: ExchangeJudgement["label"] | "thumbs_up" | "thumbs_down";
  /** Of "toxic": 1 (slight) to 5 (grave). */
  severity?: number;
  /** ISO 8601, UTC. */
  at: string;
  /** What it is about, beyond the exchange: what a brigade would aim at. */
  about: { adapter: number; owner: string; conversation: string };
  /** What an operator decided about a judgement that looked suspicious. */
  review?: "accepted" | "excluded";
}

/** Value of a label, in -1..1; "toxic" is scaled by its severity. */
export const judgementValues: Readonly<Record<Judgement["label"], number>> = {
  good: 1,
  ok: 0.25,
  evasive: -0.5,
  off_topic: -0.5,
  toxic: -1,
  thumbs_up: 1,
  thumbs_down: -1,
};
const gravest = 5;
/** Severity of a "toxic" label that comes without one. */
const assumedSeverity = 3;

/** In -1..1. */
export function judgementValue({ label, severity = assumedSeverity }: Pick<Judgement, "label" | "severity">): number {
  const share = label === "toxic" ? Math.max(1, Math.min(gravest, severity)) / gravest : 1;
  return judgementValues[label] * share;
}

/** Tells an annotator from a chatter of the same name. */
export function judgeKey({ source, judge }: Pick<Judgement, "source" | "judge">): string {
  return `${source}:${judge}`;
}

/** The judgements of each exchange. */
export function byExchange(judgements: readonly Judgement[]): Map<string, Judgement[]> {
  const groups = new Map<string, Judgement[]>();
  for (const judgement of judgements) {
    const group = groups.get(judgement.exchangeId);
    if (group === undefined) groups.set(judgement.exchangeId, [judgement]);
    else group.push(judgement);
  }
  return groups;
}
