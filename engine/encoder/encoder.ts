/** An encoder's checkpoint folder becomes a classifier of texts, or their embedding. */
import { basename } from "node:path";
import { encoderArchitecture } from "../architectures/encoders/encoder-architecture.ts";
import { openCheckpointTensors, readWeights } from "../checkpoint/checkpoint.ts";
import { createSession, floats } from "../runtime/session.ts";
import { readTokenizerFile } from "../tokenizer/tokenizer-file.ts";
import { readEncoderDescription } from "./encoder-config.ts";
import { encoderFeeds, encoderGraph } from "./encoder-graph.ts";

export interface EncoderOptions {
  /** Checkpoint folder: config.json, tokenizer.json, model.safetensors or shards. */
  folder: string;
  /** Threads of one matrix product, at least 1. Default 1. */
  threads?: number;
  /** Rows of tokens in one run, at least 1: bounds memory for any number of texts. Default 16. */
  batch?: number;
}

export interface Classification {
  /** By label. */
  logits: Float32Array;
  /** By label: sigmoid of each logit for several labels at once, else softmax. */
  probabilities: Float32Array;
}

export interface EncoderInfo {
  /** Folder name of the checkpoint. */
  readonly id: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly sha256: string;
  /** Longest text in tokens, the model's own marks included. */
  readonly contextLength: number;
  /** Names of the classes; empty for an encoder without a classification head. */
  readonly labels: readonly string[];
  readonly multiLabel: boolean;
}

export interface Encoder {
  readonly info: EncoderInfo;
  /**
   * For each text one classification a window: a text longer than the context is cut into windows that overlap by a
   * quarter, as what matters may stand at its end. @throws Error for an encoder without labels
   */
  classify(texts: readonly string[]): Promise<Classification[][]>;
  /**
   * For each text its embedding [hidden], of as much of it as the context holds.
   * @param options.normalize brings embeddings to length 1. Default: what the folder says, else false.
   * @throws Error for an encoder with a classification head
   */
  embed(texts: readonly string[], options?: { normalize?: boolean }): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

/**
 * On the calling thread, which its runs block: see `createEncoder` for one that does not.
 * @throws CheckpointError naming the file and what is wrong with it
 */
export async function openEncoder({ folder, threads = 1, batch = 16 }: EncoderOptions): Promise<Encoder> {
  const { config, labels, multiLabel, pooling, normalize, contextLength } = readEncoderDescription(folder);
  const architecture = encoderArchitecture(config);
  const tokenizer = readTokenizerFile(folder, config.vocabularySize);
  const opened = openCheckpointTensors(folder, architecture);
  const weights = readWeights(opened);
  const all = weights.values().next().value?.buffer ?? new ArrayBuffer(0);
  const session = await createSession(encoderGraph(architecture), {
    threads,
    buffers: { weights: new Uint8Array(all) },
    locate: (name) => {
      const values = weights.get(name);
      if (values === undefined) throw new Error(`${folder}: the graph asks for an unknown weight ${name}`);
      return { file: "weights", offset: values.byteOffset, length: values.byteLength };
    },
  });

  /** One row of the graph's result for each row of tokens, in batches of rows of like length. */
  async function run(rows: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const results = new Array<Float32Array>(rows.length);
    const order = [...rows.keys()].sort((a, b) => (rows[a]?.length ?? 0) - (rows[b]?.length ?? 0));
    for (let start = 0; start < order.length; start += batch) {
      const places = order.slice(start, start + batch);
      const feeds = encoderFeeds(
        architecture,
        places.map((place) => rows[place] ?? []),
        pooling,
      );
      const values = floats((await session.run(feeds)).result);
      const width = values.length / places.length;
      for (const [i, place] of places.entries()) results[place] = values.slice(i * width, (i + 1) * width);
    }
    return results;
  }

  return {
    info: {
      id: basename(folder),
      architecture: config.name,
      parameters: opened.parameters,
      sha256: opened.sha256(),
      contextLength,
      labels,
      multiLabel,
    },
    async classify(texts) {
      if (labels.length === 0) throw new Error(`${folder}: ${config.name} has no classification head`);
      const windows = texts.map((text) => tokenizer.encodeWindows(text, contextLength, Math.floor(contextLength / 4)));
      const results = await run(windows.flat());
      const probabilities = multiLabel ? sigmoids : softmax;
      let next = 0;
      return windows.map((own) =>
        own.map((): Classification => {
          const logits = results[next++] as Float32Array;
          return { logits, probabilities: probabilities(logits) };
        }),
      );
    },
    async embed(texts, options = {}) {
      if (labels.length > 0) throw new Error(`${folder}: ${config.name} classifies, it does not embed`);
      const rows = texts.map((text) => tokenizer.encodeWindows(text, contextLength, 0)[0] ?? []);
      const pooled = await run(rows);
      return (options.normalize ?? normalize) ? pooled.map(toUnitLength) : pooled;
    },
    dispose: () => session.dispose(),
  };
}

const sigmoids = (logits: Float32Array) => logits.map((logit) => 1 / (1 + Math.exp(-logit)));

function softmax(logits: Float32Array): Float32Array {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function toUnitLength(values: Float32Array): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? values : values.map((value) => value / length);
}
