/**
 * Judgements that look arranged rather than made (bursts.ts, copies.ts). They are set aside with a reason until an operator
 * has looked, never dropped. Chatters' thumbs are left out: a thumb is about the chatter's own exchange and weighs little.
 */
import { findBursts } from "./bursts.ts";
import { findCopies } from "./copies.ts";
import type { Judgement } from "./judgement.ts";
import { type Suspicion, withTimes } from "./suspicion.ts";

/**
 * Yields between its parts, so that a long history holds up nobody.
 * @param history every judgement; those that an operator has reviewed are not set aside again
 */
export function* findSuspicions(history: readonly Judgement[]): Generator<undefined, Suspicion[]> {
  const annotators = withTimes(history.filter(({ source }) => source === "annotator"));
  yield;
  // Reviewed ones still prove their annotator and bear others out.
  const bursts = findBursts(annotators);
  yield;
  const copies = findCopies(annotators);
  yield;
  const reviewed = new Set(history.filter(({ review }) => review !== undefined).map(({ id }) => id));
  return [...bursts, ...copies].flatMap((suspicion) => {
    const open = suspicion.judgements.filter((id) => !reviewed.has(id));
    return open.length === 0 ? [] : [{ ...suspicion, judgements: open }];
  });
}
