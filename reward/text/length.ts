import { wordsOf } from "./words.ts";

export interface LengthBand {
  /** Replies of fewer words are too short. */
  least: number;
  /** Replies of more words are too long. */
  most: number;
}

/**
 * How far a reply is outside the band: (least - n) / least for n words below it, min(1, (n - most) / most) above, 0
 * inside. So 0..1; a reply twice as long as `most` is as bad as none.
 */
export function outsideLength(reply: string, { least, most }: LengthBand): number {
  const words = wordsOf(reply).length;
  if (words < least) return (least - words) / least;
  return Math.min(1, Math.max(0, (words - most) / most));
}
