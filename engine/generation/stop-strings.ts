/** Ends a text at the first stop string, and keeps back what may turn out to be the beginning of one. */

export interface StoppedText {
  /** Text that is certain to be part of the reply. */
  text: string;
  /** A stop string was found; nothing after it counts. */
  stopped: boolean;
}

export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  /** @param stops non-empty strings */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  push(piece: string): StoppedText {
    const pending = this.#held + piece;
    const ends = this.#stops.map((stop) => pending.indexOf(stop)).filter((at) => at >= 0);
    if (ends.length > 0) {
      this.#held = "";
      return { text: pending.slice(0, Math.min(...ends)), stopped: true };
    }
    const kept = Math.max(0, ...this.#stops.map((stop) => overlap(pending, stop)));
    this.#held = pending.slice(pending.length - kept);
    return { text: pending.slice(0, pending.length - kept), stopped: false };
  }

  /** What was kept back, once it is known that nothing more comes. */
  flush(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}

/** Length of the longest end of `text` that `stop` begins with, `stop` as a whole aside. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
    if (stop.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
