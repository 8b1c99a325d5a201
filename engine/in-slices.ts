/** Longer work on a thread that others wait for. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Milliseconds that others wait for at most, apart from the longest stretch between two yields. */
const slice = 1;

/** Runs work that yields now and then, and lets the event loop turn after each slice of it. */
export async function inSlices<T>(work: Generator<undefined, T>): Promise<T> {
  for (let until = performance.now() + slice; ; ) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < until) continue;
    await nextTurn();
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
