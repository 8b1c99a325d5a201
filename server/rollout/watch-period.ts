/** The replies of one adapter since it was put where it is, as the watcher keeps them. */
import type { LoggedReply } from "../store/rollout-queries.ts";
import { createUnitTally, type UnitTally } from "./unit-tally.ts";

/**
 * Replies are watched in chapters of so many. The evidence of a chapter begins at nothing, so that an adapter that turns
 * bad late is found as fast as a new one, whatever good it has said before (watch-limits.ts has the price).
 */
export const chapterLength = 1000;

/** A reply is toxic when it is judged above this. */
const toxicAbove = 0.5;

export interface Chapter {
  /** When its first reply ended; ISO. */
  firstAt: string;
  /** Toxicity of the judged replies. */
  toxicity: UnitTally;
  /** 1 for each judged reply that is toxic, else 0. */
  toxic: UnitTally;
  /** 1 for each reply that failed while it was written, else 0. */
  failed: UnitTally;
}

export interface WatchPeriod {
  /** Replies in all. */
  readonly replies: number;
  /** Oldest first. */
  readonly chapters: readonly Chapter[];
  add(reply: LoggedReply): void;
}

export function createWatchPeriod(replies: Iterable<LoggedReply> = []): WatchPeriod {
  const chapters: Chapter[] = [];
  let count = 0;

  function add({ at, failed, judgement }: LoggedReply): void {
    let chapter = chapters.at(-1);
    if (chapter === undefined || chapter.failed.n >= chapterLength) {
      chapter = { firstAt: at, toxicity: createUnitTally(), toxic: createUnitTally(), failed: createUnitTally() };
      chapters.push(chapter);
    }
    count += 1;
    chapter.failed.add(failed ? 1 : 0);
    if (judgement === null) return;
    const toxicity = Math.min(1, Math.max(0, judgement.toxicity));
    chapter.toxicity.add(toxicity);
    chapter.toxic.add(toxicity > toxicAbove ? 1 : 0);
  }

  for (const reply of replies) add(reply);
  return {
    get replies() {
      return count;
    },
    chapters,
    add,
  };
}
