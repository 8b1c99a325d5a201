/** The shapes in which every loader of this folder hands its data on. */

export interface Turn {
  role: "user" | "assistant";
  content: string;
}

export interface Dialogue {
  /** Unique within its source. */
  id: string;
  source: string;
  /** Roles alternate and the first is always the user's. */
  turns: Turn[];
  /** The group that the hateful side attacks, where the set says so. */
  target?: string;
  /** The strategy of the counter-narrative (facts, humour, question, ...), where the set says so. */
  intent?: string;
}

export type Split = "train" | "validation" | "test";

export interface LabelledText {
  text: string;
  toxic: boolean;
  source: string;
  split: Split;
  /** True or false only in sets that tell an attack on an identity apart from other rudeness. */
  identityAttack?: boolean;
  /** The message that `text` answers, in sets of conversations. */
  context?: string;
}

/** A text with the same meaning in a toxic and in one or more neutral wordings. */
export interface Paraphrases {
  toxic: string;
  neutral: string[];
}

/** The attributes that RealToxicityPrompts carries for each text, in 0..1, absent where not scored. */
export type AttributeScores = Partial<
  Record<
    | "toxicity"
    | "severe_toxicity"
    | "identity_attack"
    | "insult"
    | "profanity"
    | "threat"
    | "sexually_explicit"
    | "flirtation",
    number
  >
>;

export interface ToxicityPrompt {
  id: string;
  prompt: string;
  continuation: string;
  promptScores: AttributeScores;
  continuationScores: AttributeScores;
}

/** A model's reply with scores given by others. */
export interface ScoredReply {
  prompt: string;
  reply: string;
  /** Perspective TOXICITY in 0..1; absent where Perspective could not score the language. */
  perspectiveToxicity?: number;
  /** Probability of hate by a RoBERTa classifier, in 0..1. */
  robertaHate: number;
  /** Which prompt set, model and training stage the reply came from. */
  prompts: string;
  model: string;
  stage: string;
}
