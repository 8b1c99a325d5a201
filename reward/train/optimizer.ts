/** Updates: AdaGrad for the sparse tables, whose rows are seen at very different rates, and Adam for the rest. */
import type { TextFeatures } from "../text/features.ts";
import { addScaled } from "./kernels.ts";
import { denseNames, type Network } from "./network.ts";

export interface LearningRates {
  wide: number;
  embedding: number;
  dense: number;
}

const smallestSquare = 0.01;
const beta1 = 0.9;
const beta2 = 0.999;

export class Optimizer {
  readonly #network: Network;
  readonly #rates: LearningRates;
  readonly #wideSquares: Float32Array;
  readonly #rowSquares: Float32Array;
  readonly #moments = new Map<string, { first: Float32Array; second: Float32Array }>();
  #steps = 0;

  constructor(network: Network, rates: LearningRates) {
    this.#network = network;
    this.#rates = rates;
    this.#wideSquares = new Float32Array(network.parameters["wide.weight"].length).fill(smallestSquare);
    this.#rowSquares = new Float32Array(network.shape.embeddingBuckets).fill(smallestSquare);
    for (const name of denseNames) {
      const { length } = network.parameters[name];
      this.#moments.set(name, { first: new Float32Array(length), second: new Float32Array(length) });
    }
  }

  /** Updates the tables' rows that the window used. Duchi et al. 2011; embedding rows share one step size a row. */
  stepSparse(window: TextFeatures, rawGradient: Float32Array, warmth: number): void {
    const wide = this.#network.parameters["wide.weight"];
    const heads = rawGradient.length;
    const scale = 1 / Math.sqrt(window.wide.length);
    for (let k = 0; k < heads; k++) {
      const gradient = (rawGradient[k] as number) * scale;
      if (gradient === 0) continue;
      for (const bucket of window.wide) {
        const i = bucket * heads + k;
        const squares = (this.#wideSquares[i] as number) + gradient * gradient;
        this.#wideSquares[i] = squares;
        wide[i] = (wide[i] as number) - (warmth * this.#rates.wide * gradient) / Math.sqrt(squares);
      }
    }
    this.#stepEmbedding(window, warmth * this.#rates.embedding);
  }

  #stepEmbedding({ subwords, offsets }: TextFeatures, rate: number): void {
    const { kept, gradients, parameters, shape } = this.#network;
    const size = shape.embeddingSize;
    for (let t = 0; t + 1 < offsets.length; t++) {
      if (kept[t] === 0) continue;
      const from = offsets[t] as number;
      const to = offsets[t + 1] as number;
      const scale = 1 / Math.sqrt(to - from);
      let square = 0;
      for (let d = 0; d < size; d++) square += (gradients.words[(t + 1) * size + d] as number) ** 2;
      square *= (scale * scale) / size;
      if (square === 0) continue;
      for (let i = from; i < to; i++) {
        const row = subwords[i] as number;
        const squares = (this.#rowSquares[row] as number) + square;
        this.#rowSquares[row] = squares;
        const factor = (-rate * scale) / Math.sqrt(squares);
        addScaled(parameters["embedding.weight"], row * size, gradients.words, (t + 1) * size, size, factor);
      }
    }
  }

  /** Adam (Kingma & Ba 2015) on the mean of the gradients accumulated over `examples`, which it clears. */
  stepDense(examples: number, warmth: number): void {
    this.#steps++;
    const rate = (warmth * this.#rates.dense * Math.sqrt(1 - beta2 ** this.#steps)) / (1 - beta1 ** this.#steps);
    for (const name of denseNames) {
      const values = this.#network.parameters[name];
      const gradients = this.#network.gradients.dense[name];
      const { first, second } = this.#moments.get(name) ?? { first: values, second: values };
      for (let i = 0; i < values.length; i++) {
        const gradient = (gradients[i] as number) / examples;
        const m = beta1 * (first[i] as number) + (1 - beta1) * gradient;
        const v = beta2 * (second[i] as number) + (1 - beta2) * gradient * gradient;
        first[i] = m;
        second[i] = v;
        values[i] = (values[i] as number) - (rate * m) / (Math.sqrt(v) + 1e-8);
      }
      gradients.fill(0);
    }
  }
}
