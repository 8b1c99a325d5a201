/**
 * Whose prompt is read next. Every other chunk belongs to the prompt that came first, so each is read to its end in
 * at most twice the chunks of itself and of those before it, whatever comes later; the chunks between go to the prompt
 * that has least left, so a short one does not wait for a long one. Among prompts of one length it is first come,
 * first served: taking one chunk of each in turn would bring all their first tokens at the end.
 */
import { type Turn, unread } from "./turn.ts";

export class ReadingOrder {
  #isEldersTurn = true;

  /** @param reading prompts that have a slot, at least one, in any order; ids count up as requests come */
  next(reading: readonly Turn[]): Turn {
    const isBefore = this.#isEldersTurn
      ? (a: Turn, b: Turn) => a.id < b.id
      : (a: Turn, b: Turn) => unread(a) < unread(b) || (unread(a) === unread(b) && a.id < b.id);
    this.#isEldersTurn = !this.#isEldersTurn;
    return reading.reduce((best, turn) => (isBefore(turn, best) ? turn : best));
  }
}
