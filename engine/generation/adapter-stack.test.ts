import { describe, expect, it } from "vitest";
import { atOnce } from "../in-slices.ts";
import { AdapterStack, type StackableAdapter, type StackedAdapter } from "./adapter-stack.ts";

const modules = [
  { name: "x", inputSize: 2, outputSize: 3 },
  { name: "y", inputSize: 3, outputSize: 1 },
];

/** Each number of an adapter's matrices tells whose it is. */
const filled = (value: number, rank: number): StackableAdapter => ({
  sha256: `adapter ${value}`,
  rank,
  matrices: new Float32Array(rank * (2 + 3 + 3 + 1)).fill(value),
});

/** What a step's row sees of module x's A: the first number of each rank that its mask lets through. */
function seen(stack: AdapterStack, rows: readonly (StackedAdapter | null)[]): number[][] {
  const feeds = stack.feeds(rows);
  const [a, mask] = [feeds["lora:x.a"], feeds.adapterMask];
  const ranks = a?.shape[0] as number;
  expect(mask?.shape).toEqual([rows.length, 1, ranks]);
  return rows.map((_, row) => {
    const shown = Array.from({ length: ranks }, (_, r) => r).filter((r) => Number(mask?.data[row * ranks + r]) === 1);
    return shown.map((r) => Number(a?.data[2 * r]));
  });
}

describe("AdapterStack", () => {
  it("shows each row its own adapter, and none to a row without", () => {
    const stack = new AdapterStack(modules);
    expect(seen(stack, [null, null])).toEqual([[], []]);
    const [one, two] = [atOnce(stack.stacking(filled(1, 2))), atOnce(stack.stacking(filled(2, 1)))];
    expect(seen(stack, [two, null, one, two])).toEqual([[2], [], [1, 1], [2]]);
    expect(stack.feeds([two])["lora:y.b"]).toEqual({ data: Float32Array.of(2), shape: [1, 1] });
  });

  it("copies nothing for a step: feeds are views of one array, also where adapters are mixed", () => {
    const stack = new AdapterStack(modules);
    const [one, two] = [atOnce(stack.stacking(filled(1, 2))), atOnce(stack.stacking(filled(2, 2)))];
    const of = (rows: StackedAdapter[]) => stack.feeds(rows)["lora:x.a"]?.data.buffer;
    expect(of([one, two])).toBe(of([one]));
    expect(of([one, two])).toBe(of([two]));
  });

  it("gives the place of an adapter that went to one that fits, and leaves the others where they are", () => {
    const stack = new AdapterStack(modules);
    const [one, two, three] = [1, 2, 3].map((value) => atOnce(stack.stacking(filled(value, 2))));
    stack.remove(two as StackedAdapter);
    const wide = atOnce(stack.stacking(filled(4, 3)));
    const narrow = atOnce(stack.stacking(filled(5, 1)));
    expect([wide.start, narrow.start]).toEqual([6, 2]);
    expect(seen(stack, [one as StackedAdapter, three as StackedAdapter, wide, narrow])).toEqual([
      [1, 1],
      [3, 3],
      [4, 4, 4],
      [5],
    ]);
  });

  it("serves steps between the slices of two adapters that come at once", () => {
    const stack = new AdapterStack(modules);
    const one = atOnce(stack.stacking(filled(1, 1)));
    const coming = [stack.stacking(filled(2, 2)), stack.stacking(filled(3, 1))] as const;
    const places: StackedAdapter[] = [];
    while (places.length < 2) {
      for (const work of coming) {
        const step = work.next();
        if (step.done && step.value !== undefined) places.push(step.value);
        expect(seen(stack, [one])).toEqual([[1]]);
      }
    }
    expect(seen(stack, places)).toEqual([[2, 2], [3]]);
  });
});
