/** Longer work on a thread that others wait for. */
import { setImmediate as nextTurn, setTimeout as rest } from "node:timers/promises";

/** Milliseconds that others wait for at most, apart from the longest stretch between two yields. */
const slice = 1;

/** Rest between slices (ms) of work that is in less of a hurry than the next token of a reply. */
export const longRest = 2;

/**
 * Runs work that yields now and then, and lets the event loop turn after each slice of it.
 * @param restMs pause between slices: the processor is then free for other threads as well, which matters where two cores
 *   are shared with the two threads of a step, each of which waits for the other many times a step
 */
export async function inSlices<T>(work: Generator<undefined, T>, restMs = 0): Promise<T> {
  for (let until = performance.now() + slice; ; ) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < until) continue;
    await (restMs > 0 ? rest(restMs) : nextTurn());
    until = performance.now() + slice;
  }
}

/** Runs the work in one go. */
export function atOnce<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
