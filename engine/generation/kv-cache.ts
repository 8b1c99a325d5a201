/** Keys and values of the sequences in work: a slot each, contiguous, so that the first slots are a view, not a copy. */
import type { HostTensor } from "../runtime/session.ts";
import { type Block, type KvPrecision, type KvStorage, kvStorage, type RowPart } from "./kv-storage.ts";

export interface KvCacheLayout {
  layers: number;
  keyValueHeads: number;
  headSize: number;
  /** Longest sequence (tokens). */
  contextLength: number;
}

/** Keys and values of the first tokens of a sequence, outside any slot. */
export interface SavedRows {
  /** Of each block of the cache [key/value heads, length, width]. */
  blocks: readonly Block[];
  bytes: number;
  /** Tokens. */
  length: number;
}

/** One layer's part of some slots, as the step graph takes it. */
export interface LayerView {
  /** [slots, key/value heads, capacity, head size]. */
  keys: HostTensor;
  values: HostTensor;
  /** What rows of whole numbers are multiplied by, [slots, key/value heads, 1, capacity]. */
  scales?: { keys: HostTensor; values: HostTensor };
}

const smallestCapacity = 128;

/** The least power of two that is at least `count` and 1. */
const powerOfTwo = (count: number) => 2 ** Math.ceil(Math.log2(Math.max(1, count)));

export class KvCache {
  readonly #layout: KvCacheLayout;
  readonly #storage: KvStorage;
  /** The parts of keys and of values of layer 0, of layer 1, and so on, each [slots, key/value heads, capacity, width]. */
  #blocks: Block[] = [];
  #slots = 0;
  #capacity = 0;

  constructor(layout: KvCacheLayout, precision: KvPrecision = "fp32") {
    this.#layout = layout;
    this.#storage = kvStorage(precision, layout.headSize);
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
    const { layers, keyValueHeads } = this.#layout;
    const keptRows = Math.min(this.#capacity, capacity);
    const keptHeads = Math.min(this.#slots, slots) * keyValueHeads;
    // One block after the other, so that old and new are not all held at once.
    for (let index = 0; index < 2 * layers * this.#storage.parts.length; index++) {
      const { width, make } = this.#part(index);
      const [before, after] = [this.#capacity * width, capacity * width];
      const block = make(slots * keyValueHeads * after);
      const old = this.#blocks[index];
      for (let head = 0; old !== undefined && head < keptHeads; head++) {
        block.set(old.subarray(head * before, head * before + keptRows * width), head * after);
      }
      this.#blocks[index] = block;
    }
    this.#slots = slots;
    this.#capacity = capacity;
  }

  /** Views of `count` slots from `first` on. */
  view(layer: number, first: number, count: number): LayerView {
    const { keyValueHeads, headSize } = this.#layout;
    const cut = (block: Block, width: number, shape: readonly number[]): HostTensor => {
      const size = keyValueHeads * this.#capacity * width;
      return { data: block.subarray(first * size, (first + count) * size), shape: [count, keyValueHeads, ...shape] };
    };
    const [[keys, keyScales], [values, valueScales]] = this.#layer(layer);
    const rows = (block: Block) => cut(block, headSize, [this.#capacity, headSize]);
    const view = { keys: rows(keys), values: rows(values) };
    if (keyScales === undefined || valueScales === undefined) return view;
    const scales = (block: Block) => cut(block, 1, [1, this.#capacity]);
    return { ...view, scales: { keys: scales(keyScales), values: scales(valueScales) } };
  }

  /**
   * Writes the first `count` tokens of one row of a step's new keys and values, [rows, key/value heads, time, head size],
   * behind the `start` tokens that the slot holds.
   */
  append(
    { slot, start, layer }: { slot: number; start: number; layer: number },
    step: { keys: Float32Array; values: Float32Array },
    { row, time, count }: { row: number; time: number; count: number },
  ): void {
    const { keyValueHeads, headSize } = this.#layout;
    const size = time * headSize;
    const [keys, values] = this.#layer(layer);
    for (const [blocks, rows] of [
      [keys, step.keys],
      [values, step.values],
    ] as const) {
      for (let head = 0; head < keyValueHeads; head++) {
        const from = (row * keyValueHeads + head) * size;
        const to = (slot * keyValueHeads + head) * this.#capacity + start;
        this.#storage.write(blocks, to, rows.subarray(from, from + count * headSize));
      }
    }
  }

  /** Copies the first `length` tokens of one slot over another, to close the gap of a sequence that left. */
  move(from: number, to: number, length: number): void {
    this.#eachRun(from, length, (block, at, size, index) => {
      block.copyWithin(at + (to - from) * this.#slotSize(index), at, at + size);
    });
  }

  /** Lets two slots change places, as far as their first `length` tokens go. */
  swap(a: number, b: number, length: number): void {
    this.#eachRun(a, length, (block, atA, size, index) => {
      const atB = atA + (b - a) * this.#slotSize(index);
      const heldByA = block.slice(atA, atA + size);
      block.copyWithin(atA, atB, atB + size);
      block.set(heldByA, atB);
    });
  }

  /** Bytes that `save` takes for a sequence of so many tokens. */
  savedBytes(length: number): number {
    const { layers, keyValueHeads } = this.#layout;
    return this.#storage.rowBytes * 2 * layers * keyValueHeads * length;
  }

  /** A copy of the first `length` tokens of a slot. */
  save(slot: number, length: number): SavedRows {
    const { keyValueHeads } = this.#layout;
    const blocks = this.#blocks.map((_, index) => {
      const { width, make } = this.#part(index);
      return make(keyValueHeads * length * width);
    });
    this.#eachRun(slot, length, (block, at, size, index, head) => {
      blocks[index]?.set(block.subarray(at, at + size), head * size);
    });
    return { blocks, bytes: this.savedBytes(length), length };
  }

  /** Puts the first `length` of the saved tokens into a slot. @throws RangeError when there are fewer */
  restore(slot: number, saved: SavedRows, length: number): void {
    if (length > saved.length) throw new RangeError(`${saved.length} tokens were saved, not ${length}`);
    this.#eachRun(slot, length, (block, at, size, index, head) => {
      const from = head * saved.length * this.#part(index).width;
      block.set((saved.blocks[index] as Block).subarray(from, from + size), at);
    });
  }

  /** Visits the stretch of each block and head that holds a slot's first tokens, `size` numbers from `at` on. */
  #eachRun(
    slot: number,
    length: number,
    visit: (block: Block, at: number, size: number, index: number, head: number) => void,
  ) {
    const { keyValueHeads } = this.#layout;
    if (length > this.#capacity) throw new RangeError(`a slot holds ${this.#capacity} tokens, not ${length}`);
    this.#blocks.forEach((block, index) => {
      const { width } = this.#part(index);
      for (let head = 0; head < keyValueHeads; head++) {
        visit(block, (slot * keyValueHeads + head) * this.#capacity * width, length * width, index, head);
      }
    });
  }

  /** Numbers of a slot in a block. */
  #slotSize(index: number): number {
    return this.#layout.keyValueHeads * this.#capacity * this.#part(index).width;
  }

  #part(index: number): RowPart {
    const { parts } = this.#storage;
    return parts[index % parts.length] as RowPart;
  }

  /** Gives all memory back. */
  clear(): void {
    this.#blocks = [];
    this.#slots = 0;
    this.#capacity = 0;
  }

  /** The parts of a layer's keys, and of its values. */
  #layer(layer: number): [[Block, ...Block[]], [Block, ...Block[]]] {
    const { length } = this.#storage.parts;
    const [keys, values] = [2 * layer, 2 * layer + 1].map((at) => this.#blocks.slice(at * length, (at + 1) * length));
    if (!isFilled(keys) || !isFilled(values)) {
      throw new RangeError(`the cache has no layer ${layer}; was room reserved?`);
    }
    return [keys, values];
  }
}

const isFilled = (blocks: Block[] | undefined): blocks is [Block, ...Block[]] => blocks?.[0] !== undefined;
