import { describe, expect, it } from "vitest";
import { PrefixStore } from "./prefix-store.ts";

/** Rows whose first number tells them apart; a token takes four bytes. */
const rows = (name: number, length: number) => ({
  blocks: [new Float32Array(length).fill(name)],
  bytes: 4 * length,
  length,
});

describe("PrefixStore", () => {
  it("finds the sequence that begins most like the tokens", () => {
    const store = new PrefixStore(1000);
    store.put(null, [1, 2, 3], rows(1, 3));
    store.put(null, [1, 2, 4, 5], rows(2, 4));
    expect(store.longest(null, [1, 2, 4, 9])).toMatchObject({ length: 3, rows: { blocks: rows(2, 4).blocks } });
    expect(store.longest(null, [1, 2, 3, 4])).toMatchObject({ length: 3, rows: { blocks: rows(1, 3).blocks } });
    expect(store.longest(null, [7])).toBeNull();
  });

  it("keeps what one adapter wrote from all others", () => {
    const store = new PrefixStore(1000);
    store.put("v1", [1, 2, 3], rows(1, 3));
    expect(store.longest("v2", [1, 2, 3])).toBeNull();
    expect(store.longest(null, [1, 2, 3])).toBeNull();
    store.put("v2", [1, 2, 3], rows(2, 3));
    store.forget("v1");
    expect(store.longest("v1", [1, 2, 3])).toBeNull();
    expect(store.longest("v2", [1, 2, 3])?.rows.blocks[0]?.[0]).toBe(2);
  });

  it("lets a longer sequence stand for those it begins with, of the same adapter", () => {
    const store = new PrefixStore(1000);
    store.put(null, [1, 2], rows(1, 2));
    store.put("v1", [1, 2], rows(2, 2));
    store.put(null, [1, 2, 3], rows(3, 3));
    expect(store.bytes).toBe(4 * (2 + 3));
    expect(store.longest(null, [1, 2])).toMatchObject({ length: 2, rows: { blocks: rows(3, 3).blocks } });
  });

  it("lets go of what was used longest ago when room is short, and takes nothing too large for it", () => {
    const store = new PrefixStore(24);
    store.put(null, [1, 1, 1], rows(1, 3));
    store.put(null, [2, 2, 2], rows(2, 3));
    store.longest(null, [1, 1]);
    store.put(null, [3, 3], rows(3, 2));
    expect(store.longest(null, [2, 2])).toBeNull();
    expect(store.longest(null, [1, 1])).not.toBeNull();
    expect(store.bytes).toBe(20);
    store.put(null, [4, 4, 4, 4, 4, 4, 4], rows(4, 7));
    expect(store.longest(null, [4])).toBeNull();
    expect(store.takes(24)).toBe(true);
    expect(store.takes(25)).toBe(false);
  });
});
