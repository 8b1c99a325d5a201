/**
 * Draws tokens: top-k, then top-p (Holtzman et al. 2020) on what top-k left. Log-probs belong to the distribution
 * after all of it, the one that was really drawn from.
 */
import type { SamplingOptions, TokenAlternative } from "../types.ts";

export interface Draw {
  token: number;
  /** ln of the token's share of the kept probability; 0 when greedy. */
  logProb: number;
  /** The most likely of the kept tokens, best first; fewer than asked for where fewer were kept. */
  alternatives: TokenAlternative[];
}

/** Everything ranked at or above this token is kept; of equally likely ones the lower id ranks first. */
interface Cut {
  probability: number;
  token: number;
  /** Sum of the kept probabilities. */
  mass: number;
}

// A probability's bucket is the top of its bits: exponent and three bits of the fraction, so buckets are ranked as
// their members are. Whatever is rarer than a floor shares the lowest one, as most tokens do: they are passed over
// quickly. Only where they matter all the same, as they may to top-k, is the floor lowered.
const bucketShift = 20;
const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0] as number;
const lowestFloor = 2 ** -30;
const deepest = bitsOf(lowestFloor) >>> bucketShift;
/** Rounding may take the likeliest token a little beyond 1. */
const bucketCount = (bitsOf(2) >>> bucketShift) - deepest;
/** The smallest probability of each bucket. */
const edges = new Float32Array(
  Uint32Array.from({ length: bucketCount + 1 }, (_, bucket) => (deepest + bucket) << bucketShift).buffer,
);

/** The likeliest token, the lower id at a tie. @throws RangeError if the logits are not finite */
export function greedyDraw(logits: Float32Array, topLogProbs: number): Draw {
  let best = 0;
  for (let token = 1; token < logits.length; token++) {
    if ((logits[token] as number) > (logits[best] as number)) best = token;
  }
  demandFinite(logits[best] as number);
  return { token: best, logProb: 0, alternatives: topLogProbs > 0 ? [{ token: best, logProb: 0 }] : [] };
}

function demandFinite(value: number): void {
  if (!Number.isFinite(value)) throw new RangeError(`the model returned ${value} among its logits`);
}

export class Sampler {
  readonly #counts = new Uint32Array(bucketCount);
  readonly #masses = new Float64Array(bucketCount);

  /**
   * @param probabilities [vocabulary] after repetition penalty and temperature
   * @param random uniform in [0, 1), asked once
   * @param topLogProbs number of alternatives wanted
   * @throws RangeError if the probabilities are no numbers
   */
  draw(
    probabilities: Float32Array,
    options: Pick<SamplingOptions, "topK" | "topP">,
    random: () => number,
    topLogProbs = 0,
  ): Draw {
    const cut = this.#cut(probabilities, options);
    const target = random() * cut.mass;
    let reached = 0;
    let token = cut.token;
    for (let i = 0; i < probabilities.length; i++) {
      const probability = probabilities[i] as number;
      if (probability < cut.probability || (probability === cut.probability && i > cut.token)) continue;
      reached += probability;
      // Rounding may leave the sum a little short of the target: the last kept token then stands.
      if (probability > 0) token = i;
      if (reached > target) break;
    }
    const logProb = (of: number) => Math.log((probabilities[of] as number) / cut.mass);
    return {
      token,
      logProb: logProb(token),
      alternatives: best(probabilities, cut, topLogProbs).map((of) => ({ token: of, logProb: logProb(of) })),
    };
  }

  /** Finds how far down the ranking top-k and top-p reach, without sorting it all. */
  #cut(probabilities: Float32Array, { topK, topP }: Pick<SamplingOptions, "topK" | "topP">): Cut {
    const everything = { probability: Number.NEGATIVE_INFINITY, token: probabilities.length - 1 };
    const isTopK = topK > 0 && topK < probabilities.length;
    if (!isTopK && topP >= 1) {
      let mass = 0;
      for (let i = 0; i < probabilities.length; i++) mass += probabilities[i] as number;
      demandFinite(mass);
      return { ...everything, mass };
    }
    // All tokens below this one together weigh less than top-p leaves out.
    const spare = topP < 1 ? (0.9 * (1 - topP)) / probabilities.length : 2 ** -13;
    for (const floor of [Math.max(spare, lowestFloor), lowestFloor]) {
      const mass = this.#fill(probabilities, floor);
      demandFinite(mass);
      let cut: Cut | null = { ...everything, mass };
      if (isTopK) cut = this.#lowest(probabilities, floor, this.#counts, () => 1, topK);
      if (cut !== null && topP < 1) {
        const share = (token: number) => probabilities[token] as number;
        const nucleus = this.#lowest(probabilities, floor, this.#masses, share, topP * cut.mass);
        // Rounding must not take the nucleus beyond what top-k left.
        if (nucleus === null) cut = null;
        else if (nucleus.mass < cut.mass) cut = nucleus;
      }
      if (cut !== null) return cut;
    }
    throw new Error("the lowest floor has everything above it or in its own bucket");
  }

  /** Counts and adds up the probabilities from the floor on by bucket; returns the sum of all. */
  #fill(probabilities: Float32Array, floor: number): number {
    const [counts, masses] = [this.#counts.fill(0), this.#masses.fill(0)];
    const bits = new Uint32Array(probabilities.buffer, probabilities.byteOffset, probabilities.length);
    let rare = 0;
    let rareMass = 0;
    let mass = 0;
    for (let i = 0; i < probabilities.length; i++) {
      const probability = probabilities[i] as number;
      if (probability < floor) {
        rare += 1;
        rareMass += probability;
        continue;
      }
      // What is no number lies beyond all buckets; the sum shows it.
      mass += probability;
      const bucket = ((bits[i] as number) >>> bucketShift) - deepest;
      counts[bucket] = (counts[bucket] as number) + 1;
      masses[bucket] = (masses[bucket] as number) + probability;
    }
    counts[0] = (counts[0] as number) + rare;
    masses[0] = (masses[0] as number) + rareMass;
    return mass + rareMass;
  }

  /**
   * Walks down the ranking, whole buckets first, until the amounts passed add up to `enough`.
   * @param ofBucket, ofToken how much a bucket and a token add
   * @returns null if that lies among what the floor left out
   */
  #lowest(
    probabilities: Float32Array,
    floor: number,
    ofBucket: Uint32Array | Float64Array,
    ofToken: (token: number) => number,
    enough: number,
  ): Cut | null {
    let amount = 0;
    let mass = 0;
    let bucket = bucketCount - 1;
    while (bucket > 0 && amount + (ofBucket[bucket] as number) < enough) {
      amount += ofBucket[bucket] as number;
      mass += this.#masses[bucket--] as number;
    }
    if (bucket === 0 && floor > lowestFloor) return null;
    let last = 0;
    for (const token of members(probabilities, bucket)) {
      amount += ofToken(token);
      mass += probabilities[token] as number;
      last = token;
      if (amount >= enough) break;
    }
    return { probability: probabilities[last] as number, token: last, mass };
  }
}

/** The tokens of one bucket, best first. */
function members(probabilities: Float32Array, bucket: number): number[] {
  const low = bucket === 0 ? 0 : (edges[bucket] as number);
  const high = edges[bucket + 1] as number;
  const found: number[] = [];
  for (let i = 0; i < probabilities.length; i++) {
    const probability = probabilities[i] as number;
    if (probability >= low && probability < high) found.push(i);
  }
  return found.sort((a, b) => (probabilities[b] as number) - (probabilities[a] as number) || a - b);
}

/** The `count` likeliest kept tokens, best first. */
function best(probabilities: Float32Array, cut: Cut, count: number): number[] {
  const found: number[] = [];
  if (count === 0) return found;
  for (let i = 0; i < probabilities.length; i++) {
    const probability = probabilities[i] as number;
    if (probability < cut.probability || (probability === cut.probability && i > cut.token)) continue;
    // What rounding left without any probability was never going to be drawn.
    if (probability === 0) continue;
    if (found.length === count && probability <= (probabilities[found.at(-1) as number] as number)) continue;
    let at = found.length;
    while (at > 0 && (probabilities[found[at - 1] as number] as number) < probability) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}
