/**
 * Adapters in a mixed batch. The matrices of all resident adapters stand one below the other, a step takes the stretch
 * of them that holds its own, and a mask by row lets only the ranks of the row's adapter through:
 * y += ((x A^T) * mask) B. Against gathering matrices by row this keeps one product for the whole batch, and as adapters
 * are put into their place when they are loaded, no step copies anything, also not the first one after a swap.
 */
import type { LinearModule, ParameterContext } from "../architectures/architecture.ts";
import * as ops from "../graph/ops.ts";
import { atOnce } from "../in-slices.ts";
import { type LoraAdapter, scalingOf } from "../lora/adapter.ts";
import type { HostTensor } from "../runtime/session.ts";

/** An adapter in its place: ranks `start` to `start + rank` of the stack. */
export interface StackedAdapter {
  sha256: string;
  rank: number;
  start: number;
}

/** An adapter on its way into the stack. */
export interface StackableAdapter {
  sha256: string;
  rank: number;
  /** For each linear module in the architecture's order A [rank, input], then B [rank, output] with the scaling in. */
  matrices: Float32Array;
}

const aName = (module: string) => `lora:${module}.a`;
const bName = (module: string) => `lora:${module}.b`;
const maskName = "adapterMask";

/** The adapters' part of the step graph; `ranks` is the length of the stretch that holds the step's. */
export function maskedLora(): NonNullable<ParameterContext["adapt"]> {
  const mask = ops.input(maskName, ["batch", 1, "ranks"]);
  return (module, x, inputSize, outputSize) => {
    const a = ops.input(aName(module), ["ranks", inputSize]);
    const b = ops.input(bName(module), ["ranks", outputSize]);
    return ops.matmul(ops.mul(ops.matmul(x, ops.transposeLast(a)), mask), b);
  };
}

/** Modules that the adapter does not target get zeros. */
export function flattenAdapter(adapter: LoraAdapter, modules: readonly LinearModule[]): Float32Array {
  return atOnce(flatteningAdapter(adapter, modules));
}

/** The same in pieces: yields after each module. */
export function* flatteningAdapter(
  adapter: LoraAdapter,
  modules: readonly LinearModule[],
): Generator<undefined, Float32Array> {
  const { rank } = adapter.shape;
  const scaling = scalingOf(adapter.shape);
  const flat = new Float32Array(modules.reduce((sum, m) => sum + rank * (m.inputSize + m.outputSize), 0));
  let offset = 0;
  for (const { name, inputSize, outputSize } of modules) {
    const pair = adapter.matrices.get(name);
    const b = offset + rank * inputSize;
    if (pair !== undefined) {
      flat.set(pair.a, offset);
      for (let output = 0; output < outputSize; output++) {
        for (let r = 0; r < rank; r++)
          flat[b + r * outputSize + output] = scaling * (pair.b[output * rank + r] as number);
      }
    }
    offset = b + rank * outputSize;
    yield;
  }
  return flat;
}

type Feeds = Record<string, HostTensor>;

/** One module's part of the stack, [ranks, input] and [ranks, output]; it grows when an adapter needs more room. */
interface ModuleStack {
  a: Float32Array;
  b: Float32Array;
}

export class AdapterStack {
  readonly #modules: readonly LinearModule[];
  readonly #stacks: ModuleStack[];
  /** In the order of their places. */
  #stacked: StackedAdapter[] = [];
  /** The graph wants its inputs also where no row has an adapter: one rank of zeros. */
  readonly #zeros: Float32Array;

  constructor(modules: readonly LinearModule[]) {
    this.#modules = modules;
    this.#stacks = modules.map(() => ({ a: new Float32Array(0), b: new Float32Array(0) }));
    this.#zeros = new Float32Array(
      Math.max(...modules.flatMap(({ inputSize, outputSize }) => [inputSize, outputSize])),
    );
  }

  /** Ranks from the first adapter's to the last one's. */
  get #height(): number {
    const last = this.#stacked.at(-1);
    return last === undefined ? 0 : last.start + last.rank;
  }

  /** Puts an adapter into the first gap that it fits. Yields after each module; to be used when it has come to an end. */
  *stacking({ sha256, rank, matrices }: StackableAdapter): Generator<undefined, StackedAdapter> {
    const place = { sha256, rank, start: this.#gap(rank) };
    this.#stacked = [...this.#stacked, place].sort((a, b) => a.start - b.start);
    let offset = 0;
    const put = (stack: Float32Array, size: number) => {
      const values = matrices.subarray(offset, offset + rank * size);
      offset += rank * size;
      return written(stack, this.#height * size, values, place.start * size);
    };
    for (const [index, { inputSize, outputSize }] of this.#modules.entries()) {
      const stack = this.#stacks[index] as ModuleStack;
      stack.a = put(stack.a, inputSize);
      stack.b = put(stack.b, outputSize);
      yield;
    }
    return place;
  }

  /** Lets its place be taken by others. No step may use it any more. */
  remove(adapter: StackedAdapter): void {
    this.#stacked = this.#stacked.filter((other) => other !== adapter);
    if (this.#stacked.length > 0) return;
    for (const stack of this.#stacks) stack.a = stack.b = new Float32Array(0);
  }

  /** Feeds of a step whose row i uses adapters[i], null for the base weights. */
  feeds(rows: readonly (StackedAdapter | null)[]): Feeds {
    const used = rows.filter((adapter) => adapter !== null);
    const first = Math.min(...used.map(({ start }) => start));
    const ranks = used.length === 0 ? 1 : Math.max(...used.map(({ start, rank }) => start + rank)) - first;
    const mask = new Float32Array(rows.length * ranks);
    rows.forEach((adapter, row) => {
      if (adapter === null) return;
      const from = row * ranks + adapter.start - first;
      mask.fill(1, from, from + adapter.rank);
    });
    const feeds: Feeds = { [maskName]: { data: mask, shape: [rows.length, 1, ranks] } };
    const stretch = (stack: Float32Array, size: number): HostTensor => ({
      data: used.length === 0 ? this.#zeros.subarray(0, size) : stack.subarray(first * size, (first + ranks) * size),
      shape: [ranks, size],
    });
    for (const [index, { name, inputSize, outputSize }] of this.#modules.entries()) {
      const { a, b } = this.#stacks[index] as ModuleStack;
      feeds[aName(name)] = stretch(a, inputSize);
      feeds[bName(name)] = stretch(b, outputSize);
    }
    return feeds;
  }

  /** Where so many ranks are free, at the latest behind all that are taken. */
  #gap(rank: number): number {
    let start = 0;
    for (const taken of this.#stacked) {
      if (taken.start - start >= rank) break;
      start = taken.start + taken.rank;
    }
    return start;
  }
}

/** `values` at `offset` of an array, a longer one where it holds fewer than `length` numbers. */
function written(array: Float32Array, length: number, values: Float32Array, offset: number): Float32Array {
  const roomy = array.length >= length ? array : new Float32Array(length);
  if (roomy !== array) roomy.set(array);
  roomy.set(values, offset);
  return roomy;
}
