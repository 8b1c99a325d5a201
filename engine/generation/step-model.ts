/** The step graph over a checkpoint: feeds made from sequences and their cache, new keys and values put back into it. */
import type { Architecture } from "../architectures/architecture.ts";
import { layerNames, stepExpressions } from "../architectures/step-graph.ts";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { createSession, floats, type GraphSession, type HostTensor } from "../runtime/session.ts";
import { AdapterStacks, maskedLora, type StackableAdapter } from "./adapter-stack.ts";
import { KvCache, type KvPrecision } from "./kv-cache.ts";

/** New tokens of one sequence, behind the `start` tokens that its slot of the cache holds. */
export interface StepRow {
  tokens: readonly number[];
  start: number;
  adapter: StackableAdapter | null;
}

/** Hides as well as minus infinity in float32 softmax, without the risk of NaN in a fully hidden row. */
const hidden = -10_000;

export class StepModel {
  readonly architecture: Architecture;
  readonly #kvCache: KvPrecision;
  readonly #session: GraphSession<string>;
  readonly #stacks: AdapterStacks;

  private constructor(architecture: Architecture, kvCache: KvPrecision, session: GraphSession<string>) {
    this.#kvCache = kvCache;
    this.architecture = architecture;
    this.#session = session;
    this.#stacks = new AdapterStacks(architecture.linearModules);
  }

  /** The session takes copies of the weights: the model's arrays, where it has any, are not needed afterwards. */
  static async create(model: BaseModel, options: { threads: number; kvCache?: KvPrecision }): Promise<StepModel> {
    const { architecture, source } = model;
    const { kvCache = "fp32" } = options;
    const context = { ...model.frozen(), adapt: maskedLora() };
    const expressions = stepExpressions(architecture, context, kvCache === "fp16" ? "float16" : "float32");
    const session = await createSession(expressions, {
      threads: options.threads,
      // Threads spin only within a reply's steps and some milliseconds after; an idle engine sleeps.
      spin: options.threads > 1,
      ...source,
    });
    return new StepModel(architecture, kvCache, session);
  }

  /** An empty cache of the kind that steps take. */
  createCache(): KvCache {
    return new KvCache(this.architecture, this.#kvCache);
  }

  /**
   * @param rows the sequences in slots `firstSlot`, `firstSlot + 1`, ..., each with equally many new tokens
   * @param places row * time + column of each token whose successor is asked for
   * @returns logits [places, vocabulary]; the cache then holds the new tokens
   */
  async step(
    cache: KvCache,
    firstSlot: number,
    rows: readonly StepRow[],
    places: readonly number[],
  ): Promise<Float32Array> {
    const { layers, contextLength } = this.architecture;
    const batch = rows.length;
    const time = rows[0]?.tokens.length ?? 0;
    const past = cache.capacity;
    const tokens = new BigInt64Array(batch * time);
    const positions = new BigInt64Array(batch * time);
    const bias = new Float32Array(batch * time * (past + time));
    rows.forEach((row, index) => {
      if (row.start + time > Math.min(past, contextLength)) {
        throw new RangeError(`${row.start} + ${time} tokens do not fit a cache of ${past} tokens`);
      }
      row.tokens.forEach((token, column) => {
        const at = index * time + column;
        tokens[at] = BigInt(token);
        positions[at] = BigInt(row.start + column);
        const line = at * (past + time);
        bias.fill(hidden, line + row.start, line + past);
        bias.fill(hidden, line + past + column + 1, line + past + time);
      });
    });
    const feeds: Record<string, HostTensor> = {
      tokens: { data: tokens, shape: [batch, time] },
      positions: { data: positions, shape: [batch, time] },
      attentionBias: { data: bias, shape: [batch, 1, time, past + time] },
      places: { data: BigInt64Array.from(places, BigInt), shape: [places.length] },
      ...this.#stacks.feeds(rows.map(({ adapter }) => adapter)),
    };
    for (let layer = 0; layer < layers; layer++) {
      const { pastKeys, pastValues } = layerNames(layer);
      const { keys, values } = cache.view(layer, firstSlot, batch);
      feeds[pastKeys] = keys;
      feeds[pastValues] = values;
    }
    const outputs = await this.#session.run(feeds);
    const output = (name: string): Float32Array => {
      const tensor = outputs[name];
      if (tensor === undefined) throw new Error(`the step graph returned no ${name}`);
      return floats(tensor);
    };
    for (let layer = 0; layer < layers; layer++) {
      const { newKeys, newValues } = layerNames(layer);
      const step = { keys: output(newKeys), values: output(newValues) };
      for (const [row, { start }] of rows.entries()) {
        cache.append({ slot: firstSlot + row, start, layer }, step, { row, time });
      }
    }
    return output("logits");
  }

  /** Lets go of what can be made anew. */
  rest(): void {
    this.#stacks.clear();
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}
