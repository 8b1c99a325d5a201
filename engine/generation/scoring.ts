/** Log-probs of tokens that are already there, a chunk at a time so that replies go on meanwhile. */
import type { StackedAdapter } from "./adapter-stack.ts";
import type { KvCache } from "./kv-cache.ts";
import type { StepModel } from "./step-model.ts";

/** Logits (numbers) that one chunk may make. */
const mostLogits = 2 ** 21;

/** ln softmax(logits)[token]. */
export function logProbOf(logits: Float32Array, token: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return (logits[token] as number) - largest - Math.log(sum);
}

export class ScoringJob {
  /** Log-probs (nats, temperature 1) of tokens[from], tokens[from + 1], ... as far as they are known. */
  readonly logProbs: number[] = [];
  readonly adapter: StackedAdapter | null;
  readonly #tokens: readonly number[];
  readonly #from: number;
  readonly #model: StepModel;
  readonly #cache: KvCache;
  #read = 0;

  /** @param from index of the first token to be scored, at least 1 as the first token follows nothing */
  constructor(model: StepModel, tokens: readonly number[], from: number, adapter: StackedAdapter | null) {
    this.#model = model;
    this.#tokens = tokens;
    this.#from = from;
    this.adapter = adapter;
    this.#cache = model.createCache();
    this.#cache.reserve(1, tokens.length);
  }

  /** Reads one chunk of at most `longest` tokens. Returns whether all is scored. */
  async advance(longest: number): Promise<boolean> {
    const { vocabularySize } = this.#model.architecture;
    const start = this.#read;
    // The last token predicts nothing that is asked for.
    const left = this.#tokens.length - 1 - start;
    const time = Math.min(left, longest, Math.max(1, Math.floor(mostLogits / vocabularySize)));
    const tokens = this.#tokens.slice(start, start + time);
    const places = tokens.map((_, column) => column).filter((column) => start + column + 1 >= this.#from);
    const logits = await this.#model.step(this.#cache, 0, [{ tokens, start, adapter: this.adapter }], places);
    places.forEach((column, index) => {
      const row = logits.subarray(index * vocabularySize, (index + 1) * vocabularySize);
      this.logProbs.push(logProbOf(row, this.#tokens[start + column + 1] as number));
    });
    this.#read += time;
    return this.#read === this.#tokens.length - 1;
  }
}
