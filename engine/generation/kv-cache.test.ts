import { describe, expect, it } from "vitest";
import { KvCache } from "./kv-cache.ts";

const layout = { layers: 2, keyValueHeads: 2, headSize: 2, contextLength: 300 };

/** Writes token `position` of a slot: each number tells layer, slot, head, position and place in the head. */
function write(cache: KvCache, slot: number, position: number): void {
  for (let layer = 0; layer < layout.layers; layer++) {
    const keys = Float32Array.from({ length: 4 }, (_, i) => 10_000 * layer + 1000 * slot + 2 * position + i / 10);
    cache.append(
      { slot, start: position, layer },
      { keys, values: keys.map((x) => -x) },
      { row: 0, time: 1, count: 1 },
    );
  }
}

/** Keys of one token as [head 0, head 1], each [head size]. */
function read(cache: KvCache, layer: number, slot: number, position: number): number[] {
  const { keys } = cache.view(layer, slot, 1);
  return [0, 1].flatMap((head) => {
    const start = (head * cache.capacity + position) * 2;
    return [...keys.data.subarray(start, start + 2)].map((x) => Math.round(Number(x) * 10) / 10);
  });
}

describe("KvCache", () => {
  it("keeps every token while slots and capacity grow", () => {
    const cache = new KvCache(layout);
    cache.reserve(1, 10);
    expect(cache.capacity).toBe(128);
    write(cache, 0, 0);
    write(cache, 0, 127);
    cache.reserve(3, 129);
    expect(cache.capacity).toBe(256);
    write(cache, 2, 200);
    cache.reserve(4, 257);
    expect(cache.capacity).toBe(300);
    expect(read(cache, 0, 0, 0)).toEqual([0, 0.1, 0.2, 0.3]);
    expect(read(cache, 1, 0, 127)).toEqual([10254, 10254.1, 10254.2, 10254.3]);
    expect(read(cache, 1, 2, 200)).toEqual([12400, 12400.1, 12400.2, 12400.3]);
    expect(cache.view(1, 2, 1).values.data[400]).toBeCloseTo(-12400);
  });

  it("shows the first slots without a copy", () => {
    const cache = new KvCache(layout);
    cache.reserve(4, 5);
    const before = cache.view(0, 0, 2);
    expect(before.keys.shape).toEqual([2, 2, 128, 2]);
    write(cache, 1, 3);
    expect(before.keys.data[(2 * 128 + 3) * 2]).toBeCloseTo(1006);
  });

  it("saves a slot's first tokens and restores them elsewhere, in a cache of another capacity", () => {
    const cache = new KvCache(layout);
    cache.reserve(2, 10);
    for (const position of [0, 1, 2]) write(cache, 1, position);
    const saved = cache.save(1, 3);
    expect(saved.bytes).toBe(cache.savedBytes(3));
    expect(saved.blocks.reduce((sum, block) => sum + block.byteLength, 0)).toBe(saved.bytes);
    const other = new KvCache(layout);
    other.reserve(3, 200);
    other.restore(2, saved, 2);
    for (const layer of [0, 1]) {
      for (const position of [0, 1]) expect(read(other, layer, 2, position)).toEqual(read(cache, layer, 1, position));
      expect(read(other, layer, 2, 2)).toEqual([0, 0, 0, 0]);
    }
    expect(() => other.restore(2, saved, 4)).toThrow("3 tokens were saved, not 4");
  });

  it("closes a gap by moving a slot's tokens", () => {
    const cache = new KvCache(layout);
    cache.reserve(3, 5);
    for (const position of [0, 1]) write(cache, 2, position);
    cache.move(2, 0, 2);
    expect(read(cache, 1, 0, 1)).toEqual([12002, 12002.1, 12002.2, 12002.3]);
  });

  it("gives back slots and capacity of which a quarter or less is needed, and keeps what is in the rest", () => {
    const cache = new KvCache({ ...layout, contextLength: 1024 });
    const bytesOf = (slots: number, capacity: number) => slots * 2 * 2 * 2 * capacity * 2 * 4;
    cache.reserve(8, 900);
    write(cache, 1, 100);
    for (const [slots, length] of [
      [8, 257],
      [3, 1000],
    ] as const) {
      cache.shrink(slots, length);
      expect(cache.bytes).toBe(bytesOf(8, 1024));
    }
    cache.shrink(8, 256);
    expect(cache.bytes).toBe(bytesOf(8, 256));
    cache.shrink(2, 200);
    expect(cache.bytes).toBe(bytesOf(2, 256));
    expect(read(cache, 1, 1, 100)).toEqual([11200, 11200.1, 11200.2, 11200.3]);
    cache.shrink(2, 65);
    expect([cache.capacity, cache.bytes]).toEqual([256, bytesOf(2, 256)]);
    cache.reserve(8, 1024);
    expect(read(cache, 1, 1, 100)).toEqual([11200, 11200.1, 11200.2, 11200.3]);
    cache.shrink(0, 0);
    expect(cache.bytes).toBe(bytesOf(1, 128));
  });

  it("lets two slots change places", () => {
    const cache = new KvCache(layout);
    cache.reserve(3, 5);
    for (const position of [0, 1]) write(cache, 2, position);
    write(cache, 1, 0);
    cache.swap(1, 2, 2);
    expect(read(cache, 1, 1, 1)).toEqual([12002, 12002.1, 12002.2, 12002.3]);
    expect(read(cache, 0, 2, 0)).toEqual([1000, 1000.1, 1000.2, 1000.3]);
    expect(read(cache, 0, 2, 1)).toEqual([0, 0, 0, 0]);
  });

  it("takes rows and times of a step apart", () => {
    const cache = new KvCache(layout);
    cache.reserve(2, 5);
    // [rows 2, heads 2, time 3, size 2]
    const keys = Float32Array.from({ length: 24 }, (_, i) => i);
    cache.append({ slot: 1, start: 2, layer: 0 }, { keys, values: keys }, { row: 1, time: 3, count: 3 });
    expect(read(cache, 0, 1, 2)).toEqual([12, 13, 18, 19]);
    expect(read(cache, 0, 1, 4)).toEqual([16, 17, 22, 23]);
  });

  it("takes half the memory in half precision", () => {
    const cache = new KvCache(layout, "fp16");
    cache.reserve(2, 5);
    expect(cache.bytes).toBe(2 * 2 * 2 * 2 * 128 * 2 * 2);
    write(cache, 1, 3);
    // A half has eleven bits: near 1006 its steps are 0.5.
    expect(read(cache, 0, 1, 3)).toEqual([1006, 1006, 1006, 1006.5]);
  });

  it("keeps rows of eight bits with a scale each, through moves, growth and saving", () => {
    const cache = new KvCache(layout, "int8");
    cache.reserve(2, 5);
    expect(cache.bytes).toBe(2 * 2 * 2 * 2 * 128 * (2 + 4));
    const keys = Float32Array.of(127, 1.4, -3, 6, 0, 0, 254, -508);
    // [rows 1, heads 2, time 2, size 2]: a row is a head's share of a token.
    cache.append({ slot: 0, start: 0, layer: 1 }, { keys, values: keys }, { row: 0, time: 2, count: 2 });
    cache.reserve(2, 200);
    cache.move(0, 1, 2);
    const saved = cache.save(1, 2);
    expect(saved.blocks.reduce((sum, block) => sum + block.byteLength, 0)).toBe(cache.savedBytes(2));
    const other = new KvCache(layout, "int8");
    other.reserve(1, 5);
    other.restore(0, saved, 2);
    other.reserve(2, 5);
    other.swap(0, 1, 2);
    const { keys: levels, scales } = other.view(1, 1, 1);
    expect(scales?.keys.shape).toEqual([1, 2, 1, 128]);
    // By hand: 1.4 rounds to 1 of 127 levels, -3 of 6 to -63.5, which rounds up; zeros stay zeros.
    expect([...levels.data.subarray(0, 4)]).toEqual([127, 1, -63, 127]);
    expect([...levels.data.subarray(256, 260)]).toEqual([0, 0, 64, -127]);
    expect([0, 1, 128, 129].map((at) => scales?.keys.data[at])).toEqual([1, Math.fround(6 / 127), 0, 4]);
  });

  it("gives its memory back, and refuses more than the context", () => {
    const cache = new KvCache(layout);
    cache.reserve(2, 5);
    expect(cache.bytes).toBe(2 * 2 * 2 * 2 * 128 * 2 * 4);
    cache.clear();
    expect(cache.bytes).toBe(0);
    expect(() => cache.reserve(1, 301)).toThrow("301 tokens do not fit a context of 300");
    expect(() => cache.view(0, 0, 1)).toThrow("was room reserved?");
  });
});
