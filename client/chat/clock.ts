/** Time, injected so that tests can turn it by hand. */
export interface Clock {
  now(): Date;
  /** Runs once after `ms` milliseconds unless the returned function is called before. */
  after(ms: number, run: () => void): () => void;
}

export const browserClock: Clock = {
  now: () => new Date(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
