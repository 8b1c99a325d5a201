/** What reward models give and what an exchange is worth: the vocabulary shared with trainer and server. */

export interface ToxicityScore {
  /** Calibrated probability, 0..1: of texts with score p, about a share p is toxic. */
  toxicity: number;
  /** Log-odds of `toxicity`, in nats: the quantity PPO uses. */
  logit: number;
  /** Calibrated probabilities under Perspective's names, only for attributes that the model was trained on. */
  attributes: Record<string, number>;
}

export interface RewardModel {
  readonly name: string;
  /** First 12 hexadecimal digits of a sha256 over the model's files, or over whatever else decides its scores. */
  readonly version: string;
  /** One score a text, in order. Safe to call while an earlier call is under way. */
  score(texts: readonly string[]): Promise<ToxicityScore[]>;
  dispose(): Promise<void>;
}

/** A reply and all that was said before it. */
export interface ExchangeToJudge {
  messages: readonly { role: "system" | "user" | "assistant"; content: string }[];
  reply: string;
  /** Why the reply ended; absent counts as "stop". Only "cancelled" matters: such a reply is not short by its own fault. */
  finishReason?: "stop" | "length" | "cancelled" | "error";
}

/** An annotator's judgement of one exchange. */
export interface ExchangeJudgement {
  label: "toxic" | "off_topic" | "evasive" | "good" | "ok";
  /** 1 (slight) to 5 (grave). */
  severity?: number;
}

export interface ExchangeReward {
  /** Names the reward model and the weights, so that rewards of different making are never mixed. */
  version: string;
  total: number;
  /** Weighted parts; they sum to `total`. */
  terms: Record<string, number>;
}

export interface JudgedExchange {
  /** Probabilities (0..1) that the last message and the reply are toxic, and the reply's by Perspective's attributes. */
  toxicity: { prompt: number; reply: number; attributes: Record<string, number> };
  reward: ExchangeReward;
}

/** What replies are worth, by a composition of terms. */
export interface Reward {
  readonly name: string;
  /**
   * Hash over the models' files, the configuration and the versions of the code's own terms: rewards with the same
   * version are comparable, all others are not.
   */
  readonly version: string;
  /** Times the annotators' mean in -1..1: what the term `annotation`, 0 until someone has judged, is made with. */
  readonly annotationWeight: number;
  /**
   * One judgement an exchange, in order. Safe to call while an earlier call is under way.
   * @throws RewardError when a model fails or gives no finite number; then none of the exchanges is judged
   */
  judge(exchanges: readonly ExchangeToJudge[]): Promise<JudgedExchange[]>;
  /** Perspective's attribute names to probabilities (0..1). @throws RewardError */
  attributes(text: string): Promise<Record<string, number>>;
  dispose(): Promise<void>;
}

/** A term could not be computed. The message names it and says why; nothing was judged, and it can be tried again. */
export class RewardError extends Error {
  readonly term: string;
  constructor(term: string, options: { cause: unknown }) {
    const { cause } = options;
    super(`The reward's term ${term} failed: ${cause instanceof Error ? cause.message : String(cause)}`, options);
    this.term = term;
  }
}
