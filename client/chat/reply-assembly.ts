/**
 * Puts a streamed reply together from numbered tokens that may come late, twice or out of order. The text only ever
 * grows by the next index, so a token is neither lost nor shown twice.
 */

export interface Assembly {
  /** Tokens 0 to nextIndex - 1, joined. */
  text: string;
  /** Index of the first token that is still missing. */
  nextIndex: number;
  /** Tokens beyond a gap, by index. */
  held: Readonly<Record<number, string>>;
}

export const emptyAssembly: Assembly = { text: "", nextIndex: 0, held: {} };

/** Adds one token. A token that is already in the text returns the very same assembly. */
export function addToken(assembly: Assembly, index: number, text: string): Assembly {
  if (index < assembly.nextIndex || assembly.held[index] !== undefined) return assembly;
  if (index > assembly.nextIndex) return { ...assembly, held: { ...assembly.held, [index]: text } };

  const held = { ...assembly.held };
  let joined = assembly.text + text;
  let nextIndex = index + 1;
  for (let token = held[nextIndex]; token !== undefined; token = held[nextIndex]) {
    joined += token;
    delete held[nextIndex];
    nextIndex += 1;
  }
  return { text: joined, nextIndex, held };
}

/** True when a later token came before the next one. */
export function hasGap(assembly: Assembly): boolean {
  for (const _ in assembly.held) return true;
  return false;
}
