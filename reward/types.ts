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
  /** First 12 hexadecimal digits of the sha256 over the model's files. */
  readonly version: string;
  /** One score a text, in order. Safe to call while an earlier call is under way. */
  score(texts: readonly string[]): Promise<ToxicityScore[]>;
  dispose(): Promise<void>;
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
