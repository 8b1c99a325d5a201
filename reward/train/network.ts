/**
 * The classifier's forward and backward pass over one window in plain loops: `classifier/graph.ts` computes the same
 * function, and a test holds the two together. Training visits a few hundred rows of large tables a text, which sparse
 * loops do faster than any dense graph.
 */
import { type ClassifierShape, type ParameterName, parameterShapes } from "../classifier/config.ts";
import type { TextFeatures } from "../text/features.ts";
import { addScaled, dot } from "./kernels.ts";
import type { Random } from "./random.ts";

export type Parameters = Record<ParameterName, Float32Array>;

/** The parameters that every text uses; the other two, wide and embedding, are sparse tables. */
export const denseNames = [
  "convolution.weight",
  "convolution.bias",
  "hidden.weight",
  "hidden.bias",
  "output.weight",
  "output.bias",
] as const satisfies readonly ParameterName[];

/** He initialisation for what feeds a ReLU; the wide part starts at zero. */
export function initialParameters(shape: ClassifierShape, random: Random): Parameters {
  const { embeddingSize, filters, hiddenSize } = shape;
  const spread: Record<ParameterName, number> = {
    "wide.weight": 0,
    "embedding.weight": 0.3,
    "convolution.weight": Math.sqrt(2 / (3 * embeddingSize)),
    "convolution.bias": 0,
    "hidden.weight": Math.sqrt(2 / (filters + embeddingSize)),
    "hidden.bias": 0,
    "output.weight": Math.sqrt(2 / hiddenSize),
    "output.bias": 0,
  };
  const entries = [...parameterShapes(shape)].map(([name, sizes]) => {
    const values = new Float32Array(sizes.reduce((product, size) => product * size, 1));
    if (spread[name] > 0) for (let i = 0; i < values.length; i++) values[i] = spread[name] * random.normal();
    return [name, values] as const;
  });
  return Object.fromEntries(entries) as Parameters;
}

export interface Dropout {
  /** Share of words whose vectors are left out. */
  words: number;
  /** Share of pooled values left out, the rest scaled up. */
  pooled: number;
  random: Random;
}

/** What a backward pass leaves: gradients of the dense parameters (accumulated) and of each word's vector. */
export interface Gradients {
  dense: Pick<Parameters, (typeof denseNames)[number]>;
  /** [words + 2, e] with an edge row at either end, as the padded input has it. */
  words: Float32Array;
}

export class Network {
  readonly shape: ClassifierShape;
  readonly parameters: Parameters;
  readonly gradients: Gradients;
  /** Raw outputs of the last forward pass, [heads]. */
  readonly raw: Float32Array;
  /** Whether word t was kept in the last forward pass. */
  readonly kept: Uint8Array;
  readonly #padded: Float32Array; // [words + 2, e]
  readonly #pooled: Float32Array; // [filters + e]
  readonly #pooledScale: Float32Array;
  readonly #pooledGradient: Float32Array;
  readonly #peakAt: Int32Array; // [filters], -1 where no word reached above zero
  readonly #hidden: Float32Array;
  readonly #hiddenGradient: Float32Array;

  constructor(shape: ClassifierShape, parameters: Parameters) {
    const { windowWords, embeddingSize, filters, hiddenSize, heads } = shape;
    this.shape = shape;
    this.parameters = parameters;
    const dense = Object.fromEntries(denseNames.map((name) => [name, new Float32Array(parameters[name].length)]));
    this.gradients = {
      dense: dense as Gradients["dense"],
      words: new Float32Array((windowWords + 2) * embeddingSize),
    };
    this.raw = new Float32Array(heads.length);
    this.kept = new Uint8Array(windowWords);
    this.#padded = new Float32Array((windowWords + 2) * embeddingSize);
    this.#pooled = new Float32Array(filters + embeddingSize);
    this.#pooledScale = new Float32Array(filters + embeddingSize);
    this.#pooledGradient = new Float32Array(filters + embeddingSize);
    this.#peakAt = new Int32Array(filters);
    this.#hidden = new Float32Array(hiddenSize);
    this.#hiddenGradient = new Float32Array(hiddenSize);
  }

  /** Raw outputs [heads] of a window of at least one word; overwritten by the next call. */
  forward(window: TextFeatures, dropout?: Dropout): Float32Array {
    this.#embed(window, dropout);
    this.#pool(window.offsets.length - 1, dropout);
    this.#head(window);
    return this.raw;
  }

  #embed({ subwords, offsets }: TextFeatures, dropout: Dropout | undefined): void {
    const size = this.shape.embeddingSize;
    const words = offsets.length - 1;
    this.#padded.fill(0, 0, (words + 2) * size);
    for (let t = 0; t < words; t++) {
      this.kept[t] = dropout !== undefined && dropout.random.uniform() < dropout.words ? 0 : 1;
      if (this.kept[t] === 0) continue;
      const from = offsets[t] as number;
      const to = offsets[t + 1] as number;
      for (let i = from; i < to; i++) {
        const row = (subwords[i] as number) * size;
        addScaled(
          this.#padded,
          (t + 1) * size,
          this.parameters["embedding.weight"],
          row,
          size,
          1 / Math.sqrt(to - from),
        );
      }
    }
  }

  #pool(words: number, dropout: Dropout | undefined): void {
    const { embeddingSize: size, filters } = this.shape;
    const pooled = this.#pooled.fill(0);
    this.#peakAt.fill(-1);
    for (let filter = 0; filter < filters; filter++) {
      const bias = this.parameters["convolution.bias"][filter] as number;
      let peak = 0;
      for (let t = 0; t < words; t++) {
        const weights = this.parameters["convolution.weight"];
        const value = bias + dot(weights, filter * 3 * size, this.#padded, t * size, 3 * size);
        if (value > peak) {
          peak = value;
          this.#peakAt[filter] = t;
        }
      }
      pooled[filter] = peak;
    }
    for (let t = 0; t < words; t++) addScaled(pooled, filters, this.#padded, (t + 1) * size, size, 1 / words);
    for (let i = 0; i < pooled.length; i++) {
      const dropped = dropout !== undefined && dropout.random.uniform() < dropout.pooled;
      const scale = dropped ? 0 : 1 / (1 - (dropout?.pooled ?? 0));
      this.#pooledScale[i] = scale;
      pooled[i] = (pooled[i] as number) * scale;
    }
  }

  #head({ wide }: TextFeatures): void {
    const { hiddenSize, heads } = this.shape;
    const width = this.#pooled.length;
    const { parameters } = this;
    for (let j = 0; j < hiddenSize; j++) {
      const value = dot(parameters["hidden.weight"], j * width, this.#pooled, 0, width);
      this.#hidden[j] = Math.max(0, value + (parameters["hidden.bias"][j] as number));
    }
    for (let k = 0; k < heads.length; k++) {
      const value = dot(parameters["output.weight"], k * hiddenSize, this.#hidden, 0, hiddenSize);
      this.raw[k] = value + (parameters["output.bias"][k] as number);
    }
    const scale = 1 / Math.sqrt(wide.length);
    for (const bucket of wide) {
      addScaled(this.raw, 0, parameters["wide.weight"], bucket * heads.length, heads.length, scale);
    }
  }

  /** Adds to the gradients, given the loss's derivative by each raw output of the last forward pass. */
  backward(words: number, rawGradient: Float32Array): void {
    const { embeddingSize: size, filters, hiddenSize } = this.shape;
    const { dense, words: wordGradients } = this.gradients;
    const width = this.#pooled.length;
    const hiddenGradient = this.#hiddenGradient.fill(0);
    for (let k = 0; k < rawGradient.length; k++) {
      const gradient = rawGradient[k] as number;
      if (gradient === 0) continue;
      addScaled(dense["output.weight"], k * hiddenSize, this.#hidden, 0, hiddenSize, gradient);
      addScaled(hiddenGradient, 0, this.parameters["output.weight"], k * hiddenSize, hiddenSize, gradient);
    }
    addScaled(dense["output.bias"], 0, rawGradient, 0, rawGradient.length, 1);

    const pooledGradient = this.#pooledGradient.fill(0);
    for (let j = 0; j < hiddenSize; j++) {
      const gradient = hiddenGradient[j] as number;
      if (this.#hidden[j] === 0 || gradient === 0) continue;
      addScaled(dense["hidden.weight"], j * width, this.#pooled, 0, width, gradient);
      dense["hidden.bias"][j] = (dense["hidden.bias"][j] as number) + gradient;
      addScaled(pooledGradient, 0, this.parameters["hidden.weight"], j * width, width, gradient);
    }
    for (let i = 0; i < width; i++) {
      pooledGradient[i] = (pooledGradient[i] as number) * (this.#pooledScale[i] as number);
    }

    wordGradients.fill(0, 0, (words + 2) * size);
    for (let t = 0; t < words; t++) addScaled(wordGradients, (t + 1) * size, pooledGradient, filters, size, 1 / words);
    for (let filter = 0; filter < filters; filter++) {
      const t = this.#peakAt[filter] as number;
      const gradient = pooledGradient[filter] as number;
      if (t < 0 || gradient === 0) continue;
      const weights = filter * 3 * size;
      addScaled(dense["convolution.weight"], weights, this.#padded, t * size, 3 * size, gradient);
      dense["convolution.bias"][filter] = (dense["convolution.bias"][filter] as number) + gradient;
      addScaled(wordGradients, t * size, this.parameters["convolution.weight"], weights, 3 * size, gradient);
    }
  }
}
