/**
 * Word dropout (Iyyer et al. 2015) on what is answered: each epoch sees every prompt with other tokens missing, so that a
 * reply cannot be learned by heart from a few of its prompt's words.
 */
import { seededRandom } from "../pretrain/shuffle.ts";
import type { TokenSequence } from "../token-sequences.ts";

/**
 * @param share of the prompts' tokens that are left out; the replies stay whole
 * @param control tokens that mark turns: they stay. A prompt that would be left with nothing stays as it is.
 */
export function dropPromptTokens<T extends TokenSequence>(
  examples: readonly T[],
  share: number,
  control: ReadonlySet<number>,
  seed: number,
): T[] {
  if (share === 0) return [...examples];
  const random = seededRandom(seed);
  return examples.map((example) => {
    const promptTokens = example.promptTokens.filter((token) => control.has(token) || random() >= share);
    return promptTokens.length === 0 ? example : { ...example, promptTokens };
  });
}
