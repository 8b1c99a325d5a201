/** Holds what has arrived of a reply until its reader asks for it. */

export class ReplyStream<T> {
  #arrived: T[] = [];
  #failure: { cause: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(item: T): void {
    this.#arrived.push(item);
    this.#wake?.();
  }

  /** Readers get what arrived before, then the cause. */
  fail(cause: unknown): void {
    this.#failure = { cause };
    this.#wake?.();
  }

  async next(): Promise<T> {
    for (;;) {
      const item = this.#arrived.shift();
      if (item !== undefined) return item;
      if (this.#failure !== null) throw this.#failure.cause;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
