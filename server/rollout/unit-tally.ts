/** Steps into which 0..1 is cut. */
const steps = 100;
/** 0.29 * 100 is a little less than 29. */
const roundOff = 1e-9;

/**
 * Values in 0..1, kept as counts on a grid: rounded down for lower bounds and up for upper bounds, so that both stay on
 * the safe side. 0 and 1 are kept exactly. What is computed from a tally does not depend on the order of its values.
 */
export interface UnitTally {
  readonly n: number;
  readonly sum: number;
  /** How many values are k / (length - 1) when rounded down, and rounded up. */
  readonly roundedDown: readonly number[];
  readonly roundedUp: readonly number[];
  /** @throws RangeError unless 0 <= value <= 1 */
  add(value: number): void;
}

export function createUnitTally(values: Iterable<number> = []): UnitTally {
  const roundedDown = new Array<number>(steps + 1).fill(0);
  const roundedUp = new Array<number>(steps + 1).fill(0);
  let n = 0;
  let sum = 0;
  const count = (counts: number[], index: number) => {
    counts[index] = (counts[index] ?? 0) + 1;
  };
  const tally: UnitTally = {
    get n() {
      return n;
    },
    get sum() {
      return sum;
    },
    roundedDown,
    roundedUp,
    add(value) {
      if (!(value >= 0 && value <= 1)) throw new RangeError(`Expected a value in 0..1, got ${value}`);
      n += 1;
      sum += value;
      count(roundedDown, Math.floor(value * steps + roundOff));
      count(roundedUp, Math.ceil(value * steps - roundOff));
    },
  };
  for (const value of values) tally.add(value);
  return tally;
}

/** `ones` values of 1 and the rest 0. */
export function binaryTally(n: number, ones: number): UnitTally {
  const tally = createUnitTally();
  for (let index = 0; index < n; index++) tally.add(index < ones ? 1 : 0);
  return tally;
}
