/** How many replies people objected to, with nobody's voice counting without bound. */
import type { Flag } from "../store/rollout-queries.ts";
import { binaryTally, type UnitTally } from "./unit-tally.ts";
import type { Chapter } from "./watch-period.ts";

/** Of one person, so many flags count in a chapter: a single one cannot bring an adapter down. */
export const flagsPerPerson = 5;
/** Flags of fewer people count for nothing. */
export const fewestPeople = 2;

/**
 * One tally a chapter: 1 for each judged reply that counts as flagged, else 0. A reply counts once, however many flagged
 * it; it belongs to the chapter in which it was written, however late the flag.
 * @param flags in the order of their replies
 */
export function tallyFlags(chapters: readonly Chapter[], flags: readonly Flag[]): UnitTally[] {
  const flagged = chapters.map(() => new Set<string>());
  const voices = chapters.map(() => new Map<string, number>());
  for (const { exchangeId, at, person } of flags) {
    const chapter = chapters.findLastIndex(({ firstAt }) => firstAt <= at);
    const said = voices[chapter]?.get(person) ?? 0;
    voices[chapter]?.set(person, said + 1);
    if (said < flagsPerPerson) flagged[chapter]?.add(exchangeId);
  }
  return chapters.map(({ toxicity: { n } }, index) => {
    const people = voices[index]?.size ?? 0;
    return binaryTally(n, people < fewestPeople ? 0 : Math.min(n, flagged[index]?.size ?? 0));
  });
}
