/** Keys and values of the sequences in work: a slot each, contiguous, so that the first slots are a view, not a copy. */
import type { HostTensor } from "../runtime/session.ts";

export interface KvCacheLayout {
  layers: number;
  keyValueHeads: number;
  headSize: number;
  /** Longest sequence (tokens). */
  contextLength: number;
}

/** How keys and values are kept: in half precision they take half the memory, and the step graph widens them. */
export type KvPrecision = "fp32" | "fp16";

/** One layer's keys or values, [slots, key/value heads, capacity, head size]. */
type Block = Float32Array | Float16Array;

/** Keys and values of the first tokens of a sequence, outside any slot: [blocks, key/value heads, length, head size]. */
export interface SavedRows {
  data: Block;
  /** Tokens. */
  length: number;
}

const smallestCapacity = 128;

/** The least power of two that is at least `count` and 1. */
const powerOfTwo = (count: number) => 2 ** Math.ceil(Math.log2(Math.max(1, count)));

export class KvCache {
  readonly #layout: KvCacheLayout;
  readonly #makeBlock: (size: number) => Block;
  readonly #bytesPerElement: number;
  /** Keys and values of layer 0, of layer 1, and so on. */
  #blocks: Block[] = [];
  #slots = 0;
  #capacity = 0;

  constructor(layout: KvCacheLayout, precision: KvPrecision = "fp32") {
    this.#layout = layout;
    this.#makeBlock = precision === "fp16" ? (size) => new Float16Array(size) : (size) => new Float32Array(size);
    this.#bytesPerElement = precision === "fp16" ? 2 : 4;
  }

  /** Tokens that a slot can hold as it is. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.byteLength, 0);
  }

  /**
   * Makes room for `slots` sequences of `length` tokens, in steps of powers of two; what is there stays.
   * @throws RangeError beyond the context length
   */
  reserve(slots: number, length: number): void {
    const { contextLength } = this.#layout;
    if (length > contextLength) throw new RangeError(`${length} tokens do not fit a context of ${contextLength}`);
    if (slots <= this.#slots && length <= this.#capacity) return;
    this.#resize(Math.max(this.#slots, powerOfTwo(slots)), Math.max(this.#capacity, this.#bucket(length)));
  }

  /**
   * Gives back what is not needed once that is a good deal: where `slots` or `length` are at most a quarter of what is
   * held. So a sequence that goes on growing is not copied to and fro. What the needed slots hold stays.
   */
  shrink(slots: number, length: number): void {
    const newSlots = slots <= this.#slots / 4 ? powerOfTwo(slots) : this.#slots;
    const newCapacity = length <= this.#capacity / 4 ? this.#bucket(length) : this.#capacity;
    if (newSlots < this.#slots || newCapacity < this.#capacity) this.#resize(newSlots, newCapacity);
  }

  #bucket(length: number): number {
    return Math.min(this.#layout.contextLength, Math.max(smallestCapacity, powerOfTwo(length)));
  }

  #resize(slots: number, capacity: number): void {
    const { layers, keyValueHeads, headSize } = this.#layout;
    const [before, after] = [this.#capacity * headSize, capacity * headSize];
    const kept = Math.min(before, after);
    const keptHeads = Math.min(this.#slots, slots) * keyValueHeads;
    // One block after the other, so that old and new are not all held at once.
    for (let index = 0; index < 2 * layers; index++) {
      const block = this.#makeBlock(slots * keyValueHeads * after);
      const old = this.#blocks[index];
      for (let head = 0; old !== undefined && head < keptHeads; head++) {
        block.set(old.subarray(head * before, head * before + kept), head * after);
      }
      this.#blocks[index] = block;
    }
    this.#slots = slots;
    this.#capacity = capacity;
  }

  /** Views of `count` slots from `first` on, [count, key/value heads, capacity, head size]. */
  view(layer: number, first: number, count: number): { keys: HostTensor; values: HostTensor } {
    const { keyValueHeads, headSize } = this.#layout;
    const shape = [count, keyValueHeads, this.#capacity, headSize];
    const size = keyValueHeads * this.#capacity * headSize;
    const cut = (block: Block) => ({ data: block.subarray(first * size, (first + count) * size), shape });
    return { keys: cut(this.#block(2 * layer)), values: cut(this.#block(2 * layer + 1)) };
  }

  /**
   * Writes one row of a step's new keys and values, [rows, key/value heads, time, head size], behind the `start` tokens
   * that the slot holds.
   */
  append(
    { slot, start, layer }: { slot: number; start: number; layer: number },
    step: { keys: Float32Array; values: Float32Array },
    { row, time }: { row: number; time: number },
  ): void {
    const { keyValueHeads, headSize } = this.#layout;
    const size = time * headSize;
    for (const [block, rows] of [
      [this.#block(2 * layer), step.keys],
      [this.#block(2 * layer + 1), step.values],
    ] as const) {
      for (let head = 0; head < keyValueHeads; head++) {
        const from = (row * keyValueHeads + head) * size;
        const to = ((slot * keyValueHeads + head) * this.#capacity + start) * headSize;
        block.set(rows.subarray(from, from + size), to);
      }
    }
  }

  /** Copies the first `length` tokens of one slot over another, to close the gap of a sequence that left. */
  move(from: number, to: number, length: number): void {
    const { keyValueHeads, headSize } = this.#layout;
    const stride = this.#capacity * headSize;
    for (const block of this.#blocks) {
      for (let head = 0; head < keyValueHeads; head++) {
        const source = (from * keyValueHeads + head) * stride;
        block.copyWithin((to * keyValueHeads + head) * stride, source, source + length * headSize);
      }
    }
  }

  /** Lets two slots change places, as far as their first `length` tokens go. */
  swap(a: number, b: number, length: number): void {
    const { keyValueHeads, headSize } = this.#layout;
    const stride = this.#capacity * headSize;
    for (const block of this.#blocks) {
      for (let head = 0; head < keyValueHeads; head++) {
        const [atA, atB] = [a, b].map((slot) => (slot * keyValueHeads + head) * stride) as [number, number];
        const heldByA = block.slice(atA, atA + length * headSize);
        block.copyWithin(atA, atB, atB + length * headSize);
        block.set(heldByA, atB);
      }
    }
  }

  /** Bytes that `save` takes for a sequence of so many tokens. */
  savedBytes(length: number): number {
    const { layers, keyValueHeads, headSize } = this.#layout;
    return this.#bytesPerElement * 2 * layers * keyValueHeads * headSize * length;
  }

  /** A copy of the first `length` tokens of a slot. */
  save(slot: number, length: number): SavedRows {
    const data = this.#makeBlock(this.savedBytes(length) / this.#bytesPerElement);
    this.#eachRun(slot, length, length, (block, at, to) => {
      data.set(block.subarray(at, at + length * this.#layout.headSize), to);
    });
    return { data, length };
  }

  /** Puts the first `length` of the saved tokens into a slot. @throws RangeError when there are fewer */
  restore(slot: number, saved: SavedRows, length: number): void {
    if (length > saved.length) throw new RangeError(`${saved.length} tokens were saved, not ${length}`);
    this.#eachRun(slot, length, saved.length, (block, at, from) => {
      block.set(saved.data.subarray(from, from + length * this.#layout.headSize), at);
    });
  }

  /** Visits the stretch of each block and head that holds a slot's first tokens, and where it lies in saved rows. */
  #eachRun(
    slot: number,
    length: number,
    savedLength: number,
    visit: (block: Block, at: number, saved: number) => void,
  ) {
    const { keyValueHeads, headSize } = this.#layout;
    if (length > this.#capacity) throw new RangeError(`a slot holds ${this.#capacity} tokens, not ${length}`);
    this.#blocks.forEach((block, index) => {
      for (let head = 0; head < keyValueHeads; head++) {
        const at = (slot * keyValueHeads + head) * this.#capacity * headSize;
        visit(block, at, (index * keyValueHeads + head) * savedLength * headSize);
      }
    });
  }

  /** Gives all memory back. */
  clear(): void {
    this.#blocks = [];
    this.#slots = 0;
    this.#capacity = 0;
  }

  #block(index: number): Block {
    const block = this.#blocks[index];
    if (block === undefined) throw new RangeError(`the cache has no block ${index}; was room reserved?`);
    return block;
  }
}
