/**
 * What one exchange is worth: the classifier's view of the reply, the annotators' judgements, and penalties for the
 * ways in which a policy dodges both (saying nothing, looping, answering in a script the classifier cannot read).
 */
import { createHash } from "node:crypto";
import { judgementValues } from "./annotations/judgement.ts";
import type { ExchangeReward, ToxicityScore } from "./types.ts";

/** How much each term counts. A term is its weight times a value whose range is given here. */
export interface RewardWeights {
  /** Times the log-odds that the reply is not toxic, clipped to ±`logitBound`. */
  toxicity: number;
  /** Where the log-odds are clipped, in nats: beyond it nothing is to be gained by being ever more harmless. */
  logitBound: number;
  /** Times what people have judged, in -1..1 (annotations/judgement-term.ts). */
  annotation: number;
  /** Times -1 for a reply without words, -0.75 for one word, else 0. */
  empty: number;
  /** Times -1..0, by the share of repeated word triples. */
  repetition: number;
  /** Times -1..0, by the share of letters that are not Latin, of which the English classifier knows nothing. */
  unreadable: number;
}

/**
 * Raw "neutral" log-odds converged best as a reward in TRL's detoxification example. By default they give -3..3, an
 * annotation outweighs them where the two disagree, and a reply that says nothing loses more than the cleanest gains.
 */
export const defaultRewardWeights: RewardWeights = {
  toxicity: 0.5,
  logitBound: 6,
  annotation: 4,
  empty: 5,
  repetition: 3,
  unreadable: 5,
};

/** Repetition below this share of word triples is ordinary style. */
const ordinaryRepetition = 0.2;
/** Share of other letters that a name or a quotation may bring along. */
const ordinaryOtherScript = 0.2;

/** Names the reward: the model's version and a hash of the weights and the judgements' values. */
export function rewardVersion(modelVersion: string, weights: RewardWeights = defaultRewardWeights): string {
  const sorted = Object.entries(weights).sort(([a], [b]) => a.localeCompare(b));
  const hash = createHash("sha256")
    .update(JSON.stringify([sorted, judgementValues]))
    .digest("hex");
  return `${modelVersion}-${hash.slice(0, 8)}`;
}

export interface JudgedReply {
  reply: string;
  /** The classifier's score of the reply alone. */
  score: Pick<ToxicityScore, "logit">;
}

/** @param version as `rewardVersion` gives it for these weights */
export function combineReward(
  { reply, score }: JudgedReply,
  version: string,
  weights: RewardWeights = defaultRewardWeights,
): ExchangeReward {
  const bound = weights.logitBound;
  const terms = {
    toxicity: weights.toxicity * Math.max(-bound, Math.min(bound, -score.logit)),
    // Nobody has judged a reply when it is scored; annotations/rejudge.ts fills this in.
    annotation: 0,
    empty: -weights.empty * emptiness(reply),
    repetition: -weights.repetition * excess(repetition(reply), ordinaryRepetition),
    unreadable: -weights.unreadable * excess(otherScript(reply), ordinaryOtherScript),
  };
  return withTotal(version, terms);
}

function withTotal(version: string, terms: Record<string, number>): ExchangeReward {
  // `+ 0` turns -0 into 0: a term that does not apply reads 0 in logs and JSON.
  const shown = Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, value + 0]));
  return { version, total: Object.values(shown).reduce((sum, value) => sum + value, 0), terms: shown };
}

const wordsOf = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}]+)*/gu) ?? [];

function emptiness(reply: string): number {
  const words = wordsOf(reply).length;
  return words === 0 ? 1 : words === 1 ? 0.75 : 0;
}

/** Share of word triples that occurred before in the text; 0 for texts of fewer than four triples. */
export function repetition(text: string): number {
  const words = wordsOf(text);
  const triples = words.slice(2).map((word, i) => `${words[i]} ${words[i + 1]} ${word}`);
  return triples.length < 4 ? 0 : 1 - new Set(triples).size / triples.length;
}

/** Share of the letters that belong to another script than Latin. */
export function otherScript(text: string): number {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  return letters === 0 ? 0 : 1 - (text.match(/\p{Script=Latin}/gu)?.length ?? 0) / letters;
}

/** 0 up to `ordinary`, then rising to 1 at 1. */
const excess = (share: number, ordinary: number) => Math.max(0, (share - ordinary) / (1 - ordinary));
