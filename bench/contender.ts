/** What is timed of an engine: the same work on token ids for ours and for others. */

export interface Contender {
  name: string;
  /** Seconds from a prompt of so many tokens to its first new token. */
  prefill(promptTokens: number): Promise<number>;
  /** Seconds that `streams` sequences take for `steps` greedy tokens each, after a short prompt that is not timed. */
  decode(streams: number, steps: number): Promise<number>;
  dispose(): Promise<void>;
}

/** Tokens of the prompt before timed decoding. */
export const shortPrompt = 16;

/** Token ids that differ between prompts and lie behind the special ones of any vocabulary used here. */
export function promptOf(length: number, seed: number): number[] {
  return Array.from({ length }, (_, index) => 300 + ((index * 7919 + seed * 104_729) % 7000));
}
