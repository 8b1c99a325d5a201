/** Cuts a text into the parts that are scored beside the whole. */

/** A part of fewer words joins its neighbour: "No. Never." is one sentence here. */
const shortestPart = 4;

/**
 * Sentences of a text, by final punctuation or line ends. A short insult in a long polite reply weighs little in the
 * whole, but fills its own sentence.
 */
export function splitSentences(text: string): string[] {
  const parts: { text: string; words: number }[] = [];
  for (const piece of text.split(/(?<=[.!?…]["'”’)\]]*)\s+|\n+/u)) {
    const words = piece.split(/\s+/u).filter(Boolean).length;
    if (words === 0) continue;
    const last = parts.at(-1);
    if (last !== undefined && (words < shortestPart || last.words < shortestPart)) {
      last.text += ` ${piece}`;
      last.words += words;
    } else {
      parts.push({ text: piece, words });
    }
  }
  return parts.map((part) => part.text);
}
