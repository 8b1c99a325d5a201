/**
 * Adapters in a mixed batch. The matrices of all adapters of a step stand one below the other, and a mask by row lets
 * only the ranks of the row's own adapter through: y += ((x A^T) * mask) B. Against gathering matrices by row this
 * copies nothing and keeps one product for the whole batch.
 */
import type { LinearModule, ParameterContext } from "../architectures/architecture.ts";
import * as ops from "../graph/ops.ts";
import { atOnce } from "../in-slices.ts";
import { type LoraAdapter, scalingOf } from "../lora/adapter.ts";
import type { HostTensor } from "../runtime/session.ts";

/** An adapter as the step graph takes it. */
export interface StackableAdapter {
  sha256: string;
  rank: number;
  /** For each linear module in the architecture's order A [rank, input], then B [rank, output] with the scaling in. */
  matrices: Float32Array;
}

const aName = (module: string) => `lora:${module}.a`;
const bName = (module: string) => `lora:${module}.b`;
const maskName = "adapterMask";

/** The adapters' part of the step graph; `ranks` is the sum of the ranks of the step's adapters. */
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

/** Joined stacks that are remembered: the batch that decodes, the prompt being read, and what was there before. */
const remembered = 4;

export class AdapterStacks {
  readonly #modules: readonly LinearModule[];
  /** The graph wants its inputs also where no row has an adapter: one rank of zeros. */
  readonly #none: StackableAdapter;
  readonly #feeds = new Map<string, Feeds>();

  constructor(modules: readonly LinearModule[]) {
    this.#modules = modules;
    const shape = { rank: 1, alpha: 1, targetModules: [], rankStabilized: false };
    this.#none = { sha256: "", rank: 1, matrices: flattenAdapter({ shape, matrices: new Map() }, modules) };
  }

  /** Feeds of a step whose row i uses adapters[i], null for the base weights. */
  feeds(rows: readonly (StackableAdapter | null)[]): Feeds {
    const used = [...new Set(rows.filter((adapter) => adapter !== null))].sort((a, b) =>
      a.sha256 < b.sha256 ? -1 : 1,
    );
    if (used.length === 0) used.push(this.#none);
    const starts = new Map<StackableAdapter | null, number>();
    let ranks = 0;
    for (const adapter of used) {
      starts.set(adapter, ranks);
      ranks += adapter.rank;
    }
    const mask = new Float32Array(rows.length * ranks);
    rows.forEach((adapter, row) => {
      const start = row * ranks + (starts.get(adapter) ?? 0);
      if (adapter !== null) mask.fill(1, start, start + adapter.rank);
    });
    return { ...this.#stack(used), [maskName]: { data: mask, shape: [rows.length, 1, ranks] } };
  }

  /** Lets go of all joined matrices. */
  clear(): void {
    this.#feeds.clear();
  }

  #stack(adapters: readonly StackableAdapter[]): Feeds {
    const key = adapters.map(({ sha256 }) => sha256).join();
    const known = this.#feeds.get(key) ?? this.#join(adapters);
    this.#feeds.delete(key);
    this.#feeds.set(key, known);
    const [oldest] = this.#feeds.keys();
    if (this.#feeds.size > remembered && oldest !== undefined) this.#feeds.delete(oldest);
    return known;
  }

  #join(adapters: readonly StackableAdapter[]): Feeds {
    const ranks = adapters.reduce((sum, { rank }) => sum + rank, 0);
    const offsets = adapters.map(() => 0);
    const stack = (size: number): HostTensor => {
      const parts = adapters.map(({ matrices, rank }, index) => {
        const offset = offsets[index] as number;
        offsets[index] = offset + rank * size;
        return matrices.subarray(offset, offset + rank * size);
      });
      const [first] = parts;
      if (parts.length === 1 && first !== undefined) return { data: first, shape: [ranks, size] };
      const data = new Float32Array(ranks * size);
      let filled = 0;
      for (const part of parts) {
        data.set(part, filled);
        filled += part.length;
      }
      return { data, shape: [ranks, size] };
    };
    const feeds: Feeds = {};
    for (const { name, inputSize, outputSize } of this.#modules) {
      feeds[aName(name)] = stack(inputSize);
      feeds[bName(name)] = stack(outputSize);
    }
    return feeds;
  }
}
