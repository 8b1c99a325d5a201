/** Passes over the examples: joined and dropped-out windows, weighted logistic loss a head, one update a text. */
import type { TextFeatures } from "../text/features.ts";
import { joinFeatures } from "./augment.ts";
import type { Head } from "./examples.ts";
import { heads, sourcesWithOffset, sourceWeights } from "./examples.ts";
import type { Dropout, Network, Parameters } from "./network.ts";
import { type LearningRates, Optimizer } from "./optimizer.ts";
import { type Random, shuffle } from "./random.ts";

export interface TrainingText {
  source: string;
  windows: TextFeatures[];
  targets: Partial<Record<Head, number>>;
}

export interface TrainingOptions {
  epochs: number;
  learningRates: LearningRates;
  /** Texts whose dense gradients are averaged into one Adam step. */
  batch: number;
  wordDropout: number;
  pooledDropout: number;
  /** Share of texts joined with one to three harmless ones. */
  joined: number;
}

export const defaultTrainingOptions: TrainingOptions = {
  epochs: 3,
  learningRates: { wide: 0.3, embedding: 0.05, dense: 0.001 },
  batch: 16,
  wordDropout: 0.1,
  pooledDropout: 0.2,
  joined: 0.3,
};

/** Step size of the offsets that sources learn, a text. */
const offsetRate = 0.01;
/** Learning rates fall linearly to this share. */
const finalWarmth = 0.02;

/**
 * Trains `parameters` in place.
 * @param onEpoch told the weighted mean loss (nats a text) of each pass
 */
export function trainClassifier(
  network: Network,
  texts: readonly TrainingText[],
  options: TrainingOptions,
  random: Random,
  onEpoch: (epoch: number, loss: number) => void,
): Parameters {
  const optimizer = new Optimizer(network, options.learningRates);
  const offsets = new Map([...sourcesWithOffset].map((source) => [source, 0]));
  const harmless = texts.filter(isHarmless);
  const dropout: Dropout = { words: options.wordDropout, pooled: options.pooledDropout, random };
  const gradient = new Float32Array(heads.length);
  const order = [...texts];
  const total = order.length * options.epochs;
  let seen = 0;
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    shuffle(order, random);
    let lossSum = 0;
    let weightSum = 0;
    for (const text of order) {
      const warmth = Math.max(finalWarmth, 1 - seen++ / total);
      const window = trainingWindow(text, harmless, network.shape.windowWords, options.joined, random);
      const weight = sourceWeights[text.source] ?? 0;
      const offset = offsets.get(text.source);
      lossSum += weight * headGradients(network.forward(window, dropout), text.targets, weight, offset ?? 0, gradient);
      weightSum += weight;
      if (offset !== undefined) offsets.set(text.source, offset - warmth * offsetRate * (gradient[0] as number));
      network.backward(window.offsets.length - 1, gradient);
      optimizer.stepSparse(window, gradient, warmth);
      if (seen % options.batch === 0) optimizer.stepDense(options.batch, warmth);
    }
    onEpoch(epoch, lossSum / weightSum);
  }
  return network.parameters;
}

/** Sources whose clean texts are clean beyond doubt. */
function isHarmless({ source, targets }: TrainingText): boolean {
  const sources = ["jigsaw", "real-toxicity-prompts", "counter-narrative", "dialogue"];
  return sources.includes(source) && (targets.TOXICITY ?? 1) <= 0.1;
}

function trainingWindow(
  { windows, targets }: TrainingText,
  harmless: readonly TrainingText[],
  longest: number,
  joined: number,
  random: Random,
): TextFeatures {
  // Any part of a clean text is clean; of a toxic one, the beginning is the likeliest to show it.
  const clean = (targets.TOXICITY ?? 1) <= 0.1;
  const index = clean ? Math.floor(random.uniform() * windows.length) : 0;
  let window = windows[index] as TextFeatures;
  if (windows.length > 1 || harmless.length === 0 || random.uniform() >= joined) return window;
  const count = 1 + Math.floor(3 * random.uniform());
  for (let i = 0; i < count; i++) {
    const other = harmless[Math.floor(random.uniform() * harmless.length)]?.windows[0];
    if (other === undefined) continue;
    const roomBefore = other.offsets.length + window.offsets.length - 2 <= longest;
    window =
      roomBefore && random.uniform() < 0.5
        ? joinFeatures(other, window, longest)
        : joinFeatures(window, other, longest);
  }
  return window;
}

/**
 * Cross-entropy of the first head (returned, in nats) and the derivative of the weighted sum over all heads. The other
 * heads count half: they are there for reports, not for the reward.
 */
function headGradients(
  raw: Float32Array,
  targets: TrainingText["targets"],
  weight: number,
  offset: number,
  gradient: Float32Array,
): number {
  let loss = 0;
  for (const [k, head] of heads.entries()) {
    const target = targets[head];
    gradient[k] = 0;
    if (target === undefined) continue;
    const logit = (raw[k] as number) + (k === 0 ? offset : 0);
    const p = 1 / (1 + Math.exp(-logit));
    gradient[k] = weight * (k === 0 ? 1 : 0.5) * (p - target);
    // log(1 + e^z) - target z, in the form that cannot overflow.
    if (k === 0) loss = Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))) - target * logit;
  }
  return loss;
}
