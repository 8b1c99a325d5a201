/**
 * Draws tokens from processed logits: repetition penalty (Keskar et al. 2019), temperature, top-k, then top-p
 * (Holtzman et al. 2020) on what top-k left. Log-probs belong to the distribution after all of it, the one that was
 * really drawn from.
 */
import type { SamplingOptions, TokenAlternative } from "../types.ts";

export interface Draw {
  token: number;
  /** ln of the token's share of the kept probability; 0 when greedy. */
  logProb: number;
  /** The most likely of the kept tokens, best first; fewer than asked for where fewer were kept. */
  alternatives: TokenAlternative[];
}

/** Everything ranked at or above this token is kept; of equal logits the lower id ranks first. */
interface Cut {
  logit: number;
  token: number;
  /** Sum of the kept weights. */
  mass: number;
}

// Depth below the largest logit, in steps of 1/32 nat; whatever lies deeper than 32 nats shares the last bucket.
const bucketsPerNat = 32;
const bucketCount = 32 * bucketsPerNat;
/** e^-depth at the upper edge of each bucket. */
const edges = Float64Array.from({ length: bucketCount }, (_, bucket) => Math.exp(-bucket / bucketsPerNat));

/** e^-x for x in [0, 1/32) by its Taylor series, to 2e-12; several times as fast as the exact function. */
function decay(x: number): number {
  return 1 - x * (1 - x * (1 / 2) * (1 - x * (1 / 3) * (1 - x * (1 / 4) * (1 - x * (1 / 5)))));
}

export class Sampler {
  /** exp((logit - largest) / temperature) of each token. */
  readonly #weights: Float64Array;
  readonly #buckets: Uint16Array;
  readonly #counts = new Uint32Array(bucketCount);
  readonly #masses = new Float64Array(bucketCount);

  constructor(vocabularySize: number) {
    this.#weights = new Float64Array(vocabularySize);
    this.#buckets = new Uint16Array(vocabularySize);
  }

  /**
   * @param logits [vocabulary], changed in place by the repetition penalty
   * @param seen tokens of the prompt and of the reply so far
   * @param random uniform in [0, 1), asked once unless greedy
   * @param topLogProbs number of alternatives wanted
   * @throws RangeError if the logits are not finite
   */
  draw(
    logits: Float32Array,
    options: Omit<SamplingOptions, "seed">,
    seen: Iterable<number>,
    random: () => number,
    topLogProbs = 0,
  ): Draw {
    const { temperature, repetitionPenalty } = options;
    if (repetitionPenalty !== 1) {
      for (const token of seen) {
        const logit = logits[token] as number;
        logits[token] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    }
    let best = 0;
    for (let token = 1; token < logits.length; token++) {
      if ((logits[token] as number) > (logits[best] as number)) best = token;
    }
    const largest = logits[best] as number;
    if (!Number.isFinite(largest)) throw new RangeError(`the model returned ${largest} as its largest logit`);
    if (temperature === 0) {
      return { token: best, logProb: 0, alternatives: topLogProbs > 0 ? [{ token: best, logProb: 0 }] : [] };
    }

    const cut = this.#cut(logits, largest, options);
    const weights = this.#weights;
    const target = random() * cut.mass;
    let reached = 0;
    let token = best;
    for (let i = 0; i < logits.length; i++) {
      const logit = logits[i] as number;
      if (logit < cut.logit || (logit === cut.logit && i > cut.token)) continue;
      reached += weights[i] as number;
      // Rounding may leave the sum a little short of the target: the last kept token then stands.
      if ((weights[i] as number) > 0) token = i;
      if (reached > target) break;
    }
    const logProb = (of: number) => Math.log((weights[of] as number) / cut.mass);
    return {
      token,
      logProb: logProb(token),
      alternatives: this.#best(logits, cut, topLogProbs).map((of) => ({ token: of, logProb: logProb(of) })),
    };
  }

  /** Finds how far down the ranking top-k and top-p reach, without sorting it all. */
  #cut(logits: Float32Array, largest: number, { temperature, topK, topP }: Omit<SamplingOptions, "seed">): Cut {
    const weights = this.#weights;
    const mass = this.#weigh(logits, largest, temperature);
    let cut: Cut = { logit: Number.NEGATIVE_INFINITY, token: logits.length, mass };
    if (topK > 0 && topK < logits.length) cut = this.#lowest(logits, this.#counts, () => 1, topK);
    if (topP < 1) {
      const nucleus = this.#lowest(logits, this.#masses, (token) => weights[token] as number, topP * cut.mass);
      // Rounding must not take the nucleus beyond what top-k left.
      if (nucleus.mass < cut.mass) cut = nucleus;
    }
    return cut;
  }

  /** Fills weights and buckets; returns the sum of the weights. */
  #weigh(logits: Float32Array, largest: number, temperature: number): number {
    const [weights, buckets] = [this.#weights, this.#buckets];
    const [counts, masses] = [this.#counts.fill(0), this.#masses.fill(0)];
    const last = bucketCount - 1;
    // Bounded, as infinity times a depth of zero would be no number.
    const scale = Math.min(Number.MAX_VALUE, bucketsPerNat / temperature);
    let mass = 0;
    for (let i = 0; i < logits.length; i++) {
      const steps = (largest - (logits[i] as number)) * scale;
      const bucket = Math.min(steps, last) | 0;
      const weight =
        bucket === last
          ? Math.exp(-steps / bucketsPerNat)
          : (edges[bucket] as number) * decay((steps - bucket) * (1 / bucketsPerNat));
      weights[i] = weight;
      buckets[i] = bucket;
      counts[bucket] = (counts[bucket] as number) + 1;
      masses[bucket] = (masses[bucket] as number) + weight;
      mass += weight;
    }
    return mass;
  }

  /**
   * Walks down the ranking, whole buckets first, until the amounts passed add up to `enough`.
   * @param ofBucket, ofToken how much a bucket and a token add
   */
  #lowest(
    logits: Float32Array,
    ofBucket: Uint32Array | Float64Array,
    ofToken: (token: number) => number,
    enough: number,
  ): Cut {
    let amount = 0;
    let mass = 0;
    let bucket = 0;
    while (bucket < bucketCount - 1 && amount + (ofBucket[bucket] as number) < enough) {
      amount += ofBucket[bucket] as number;
      mass += this.#masses[bucket++] as number;
    }
    let last = 0;
    for (const token of this.#members(logits, bucket)) {
      amount += ofToken(token);
      mass += this.#weights[token] as number;
      last = token;
      if (amount >= enough) break;
    }
    return { logit: logits[last] as number, token: last, mass };
  }

  /** The tokens of one bucket, best first. */
  #members(logits: Float32Array, bucket: number): number[] {
    const members: number[] = [];
    for (let i = 0; i < logits.length; i++) if (this.#buckets[i] === bucket) members.push(i);
    return members.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
  }

  /** The `count` highest kept tokens, best first. */
  #best(logits: Float32Array, cut: Cut, count: number): number[] {
    const best: number[] = [];
    if (count === 0) return best;
    for (let i = 0; i < logits.length; i++) {
      const logit = logits[i] as number;
      if (logit < cut.logit || (logit === cut.logit && i > cut.token)) continue;
      if (best.length === count && logit <= (logits[best.at(-1) as number] as number)) continue;
      let at = best.length;
      while (at > 0 && (logits[best[at - 1] as number] as number) < logit) at--;
      best.splice(at, 0, i);
      if (best.length > count) best.pop();
    }
    return best;
  }
}
