/** The step graph over a checkpoint: feeds made from sequences and their cache, new keys and values put back into it. */
import type { Architecture } from "../architectures/architecture.ts";
import { layerNames, stepExpressions } from "../architectures/step-graph.ts";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { inSlices } from "../in-slices.ts";
import { createSession, floats, type GraphSession, type HostTensor } from "../runtime/session.ts";
import type { Device, SamplingOptions } from "../types.ts";
import { AdapterStack, maskedLora, type StackableAdapter, type StackedAdapter } from "./adapter-stack.ts";
import { type Goal, meansTo } from "./goal.ts";
import { KvCache } from "./kv-cache.ts";
import type { KvPrecision } from "./kv-storage.ts";
import { inverseTemperature, needsLogits } from "./probabilities.ts";

/** New tokens of one sequence, at least one, behind the `start` tokens that its slot of the cache holds. */
export interface StepRow {
  tokens: readonly number[];
  start: number;
  adapter: StackedAdapter | null;
}

/** A token whose successor is to be drawn: row * longest row's length + column, and how it will be drawn. */
export interface Place {
  at: number;
  sampling: SamplingOptions;
}

/** What the model says about one place, [vocabulary]: ready to draw from, or logits where more must be done to them. */
export type Prediction = { probabilities: Float32Array } | { logits: Float32Array };

type Outputs = Readonly<Record<string, HostTensor>>;

/** Hides as well as minus infinity in float32 softmax, without the risk of NaN in a fully hidden row. */
const hidden = -10_000;

export class StepModel {
  readonly architecture: Architecture;
  readonly #kvCache: KvPrecision;
  readonly #session: GraphSession<string>;
  readonly #stack: AdapterStack;
  readonly #newRows: readonly string[];

  private constructor(architecture: Architecture, kvCache: KvPrecision, session: GraphSession<string>) {
    this.#kvCache = kvCache;
    this.architecture = architecture;
    this.#session = session;
    this.#stack = new AdapterStack(architecture.linearModules);
    this.#newRows = Array.from({ length: architecture.layers }, (_, layer) => layerNames(layer)).flatMap(
      ({ newKeys, newValues }) => [newKeys, newValues],
    );
  }

  /** The session takes copies of the weights: the model's arrays, where it has any, are not needed afterwards. */
  static async create(
    model: BaseModel,
    options: { threads: number; kvCache?: KvPrecision; device?: Device; goal?: Goal },
  ): Promise<StepModel> {
    const { architecture, source } = model;
    const { kvCache = "fp32", device = "cpu", goal = "latency" } = options;
    const context = { ...model.frozen(), adapt: maskedLora() };
    const expressions = stepExpressions(architecture, context, kvCache);
    const session = await createSession(expressions, {
      device,
      threads: options.threads,
      spin: options.threads > 1 && meansTo[goal].spin,
      ...source,
    });
    return new StepModel(architecture, kvCache, session);
  }

  /** An empty cache of the kind that steps take. */
  createCache(): KvCache {
    return new KvCache(this.architecture, this.#kvCache);
  }

  /**
   * @param rows the sequences in slots `firstSlot`, `firstSlot + 1`, ...; each costs what the longest of them does
   * @param places row * longest row's length + column of each token whose successor is asked for
   * @returns logits [places, vocabulary]; the cache then holds the new tokens
   */
  async step(
    cache: KvCache,
    firstSlot: number,
    rows: readonly StepRow[],
    places: readonly number[],
  ): Promise<Float32Array> {
    const plain = places.map(() => 1);
    const logits = output(await this.#run(cache, firstSlot, rows, places, plain, ["logits"]), "logits");
    return logits.subarray(0, places.length * this.architecture.vocabularySize);
  }

  /** A step whose places are to be drawn from. @returns a prediction a place; the cache then holds the new tokens */
  async predict(
    cache: KvCache,
    firstSlot: number,
    rows: readonly StepRow[],
    places: readonly Place[],
  ): Promise<Prediction[]> {
    const byLogits = places.map(({ sampling }) => needsLogits(sampling));
    const wanted = [
      ...(byLogits.includes(true) ? ["logits"] : []),
      ...(byLogits.includes(false) ? ["probabilities"] : []),
    ];
    const scales = places.map(({ sampling }, i) => (byLogits[i] ? 1 : inverseTemperature(sampling.temperature)));
    const ats = places.map(({ at }) => at);
    const outputs = await this.#run(cache, firstSlot, rows, ats, scales, wanted);
    const { vocabularySize } = this.architecture;
    const row = (name: string, i: number) =>
      output(outputs, name).subarray(i * vocabularySize, (i + 1) * vocabularySize);
    return byLogits.map((isLogits, i) =>
      isLogits ? { logits: row("logits", i) } : { probabilities: row("probabilities", i) },
    );
  }

  async #run(
    cache: KvCache,
    firstSlot: number,
    rows: readonly StepRow[],
    wantedPlaces: readonly number[],
    scales: readonly number[],
    wanted: readonly string[],
  ): Promise<Outputs> {
    const { layers, contextLength } = this.architecture;
    const batch = rows.length;
    const time = Math.max(...rows.map(({ tokens }) => tokens.length));
    const past = cache.capacity;
    // Where no token's successor is asked for, that of one is worked out all the same: the head of a quantized model
    // fails over no rows, as the runtime's ReduceMax then keeps the shape of its input.
    const [places, inverseTemperatures] = wantedPlaces.length > 0 ? [wantedPlaces, scales] : [[0], [1]];
    const tokens = new BigInt64Array(batch * time);
    const positions = new BigInt64Array(batch * time);
    const bias = new Float32Array(batch * time * (past + time));
    rows.forEach((row, index) => {
      if (row.start + row.tokens.length > Math.min(past, contextLength)) {
        throw new RangeError(`${row.start} + ${row.tokens.length} tokens do not fit a cache of ${past} tokens`);
      }
      // What fills a shorter row up to the longest is read like the rest, and of it nothing is kept.
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
      inverseTemperatures: { data: Float32Array.from(inverseTemperatures), shape: [places.length, 1] },
      ...this.#stack.feeds(rows.map(({ adapter }) => adapter)),
    };
    for (let layer = 0; layer < layers; layer++) {
      const { pastKeys, pastValues, pastKeyScales, pastValueScales } = layerNames(layer);
      const { keys, values, scales } = cache.view(layer, firstSlot, batch);
      feeds[pastKeys] = keys;
      feeds[pastValues] = values;
      if (scales === undefined) continue;
      feeds[pastKeyScales] = scales.keys;
      feeds[pastValueScales] = scales.values;
    }
    const outputs = await this.#session.run(feeds, [...wanted, ...this.#newRows]);
    for (let layer = 0; layer < layers; layer++) {
      const { newKeys, newValues } = layerNames(layer);
      const step = { keys: output(outputs, newKeys), values: output(outputs, newValues) };
      for (const [row, { start, tokens }] of rows.entries()) {
        cache.append({ slot: firstSlot + row, start, layer }, step, { row, time, count: tokens.length });
      }
    }
    return outputs;
  }

  /** Puts an adapter beside the others for steps to use it, in slices that steps may come between. */
  stack(adapter: StackableAdapter): Promise<StackedAdapter> {
    return inSlices(this.#stack.stacking(adapter));
  }

  /** Gives its memory to others, once no step will use it any more. */
  unstack(adapter: StackedAdapter): void {
    this.#stack.remove(adapter);
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

function output(outputs: Outputs, name: string): Float32Array {
  const tensor = outputs[name];
  if (tensor === undefined) throw new Error(`the step graph returned no ${name}`);
  return floats(tensor);
}
