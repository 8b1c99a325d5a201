/** What the parts of a reward have in common. */
import type { ExchangeToJudge } from "../types.ts";

/** An exchange as a term reads it. */
export interface TermInput {
  /** The last message of the user; empty where there is none. */
  prompt: string;
  reply: string;
  finishReason: NonNullable<ExchangeToJudge["finishReason"]>;
}

export interface Term {
  /**
   * All that decides its values, as JSON: options, hashes of models, and `code`, a number that is raised by hand whenever
   * the code changes what it computes. Part of the reward's version.
   */
  readonly identity: object;
  /** One value an exchange, in order, before its weight. Rewards are positive, penalties negative. */
  values(inputs: readonly TermInput[]): Promise<number[]> | number[];
  dispose?(): Promise<void>;
}

/** A term that needs no model: `value` of each exchange by itself. */
export function textTerm(identity: object, value: (input: TermInput) => number): Term {
  return { identity, values: (inputs) => inputs.map(value) };
}
