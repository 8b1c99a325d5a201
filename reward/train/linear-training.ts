/** Trains the linear classifier's weights: weighted logistic loss, AdaGrad, one update a text. */
import { linearFeatures } from "../linear/features.ts";
import { linearSum } from "../linear/raw-score.ts";
import { type Random, shuffle } from "./random.ts";

export interface LinearExample {
  text: string;
  source: string;
  /** Probability that the text is toxic. */
  target: number;
  /** Of this example in the loss. */
  weight: number;
  /** Clean beyond doubt, so that it may be joined with any other text. */
  harmless: boolean;
}

export interface LinearTrainingOptions {
  epochs: number;
  learningRate: number;
  /** Share of texts joined with one or two harmless ones. */
  joined: number;
  /** Sources that learn an offset of their own, which is dropped afterwards: their "toxic" means something else. */
  sourcesWithOffset: ReadonlySet<string>;
}

/** Step size of the bias and of the offsets, a text. */
const offsetRate = 0.01;
/** Learning rates fall linearly to this share. */
const finalWarmth = 0.02;
/** Where AdaGrad's sums of squared gradients begin. */
const smallestSquare = 0.01;

/**
 * @param onEpoch told the weighted mean loss (nats a text) of each pass
 * @returns weights [buckets]; the bias is left to the calibration
 */
export function trainLinear(
  examples: readonly LinearExample[],
  buckets: number,
  options: LinearTrainingOptions,
  random: Random,
  onEpoch: (epoch: number, loss: number) => void,
): Float32Array {
  const weights = new Float32Array(buckets);
  const squares = new Float32Array(buckets).fill(smallestSquare);
  const offsets = new Map([...options.sourcesWithOffset].map((source) => [source, 0]));
  const harmless = examples.filter((example) => example.harmless);
  const order = examples.filter(({ text }) => linearFeatures(text, buckets).length > 0);
  const total = order.length * options.epochs;
  let bias = 0;
  let seen = 0;
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    shuffle(order, random);
    let lossSum = 0;
    let weightSum = 0;
    for (const { text, source, target, weight } of order) {
      const warmth = Math.max(finalWarmth, 1 - seen++ / total);
      const features = linearFeatures(random.uniform() < options.joined ? join(text, harmless, random) : text, buckets);
      const offset = offsets.get(source);
      const logit = linearSum(features, weights) + bias + (offset ?? 0);
      // log(1 + e^z) - target z, in the form that cannot overflow.
      lossSum += weight * (Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))) - target * logit);
      weightSum += weight;
      const gradient = weight * (1 / (1 + Math.exp(-logit)) - target);
      bias -= warmth * offsetRate * gradient;
      if (offset !== undefined) offsets.set(source, offset - warmth * offsetRate * gradient);
      step(features, gradient / Math.sqrt(features.length), warmth * options.learningRate, weights, squares);
    }
    onEpoch(epoch, lossSum / weightSum);
  }
  return weights;
}

/** One AdaGrad step (Duchi et al. 2011) of the buckets that a text has, all of one gradient. */
function step(
  features: Int32Array,
  gradient: number,
  rate: number,
  weights: Float32Array,
  squares: Float32Array,
): void {
  for (const bucket of features) {
    const square = (squares[bucket] as number) + gradient * gradient;
    squares[bucket] = square;
    weights[bucket] = (weights[bucket] as number) - (rate * gradient) / Math.sqrt(square);
  }
}

/** Training sets hold single posts, but replies run to several sentences, of which one bad one is enough. */
function join(text: string, harmless: readonly LinearExample[], random: Random): string {
  let joined = text;
  for (let count = 1 + Math.floor(2 * random.uniform()); count > 0; count--) {
    const other = harmless[Math.floor(random.uniform() * harmless.length)]?.text ?? "";
    joined = random.uniform() < 0.5 ? `${joined} ${other}` : `${other} ${joined}`;
  }
  return joined;
}
