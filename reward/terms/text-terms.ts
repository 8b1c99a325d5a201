/** Penalties that are read off the text alone, each -1 (full) to 0 (none). */
import { emptiness } from "../text/emptiness.ts";
import { evasion } from "../text/evasion.ts";
import { detectLanguage, foreignness } from "../text/language.ts";
import { type LengthBand, outsideLength } from "../text/length.ts";
import { repetition } from "../text/repetition.ts";
import { type Term, textTerm } from "./term.ts";

/** 0 up to `ordinary`, then rising to 1 at 1. */
const excess = (share: number, ordinary: number) => Math.max(0, (share - ordinary) / (1 - ordinary));

/** A reply without words; one word counts three quarters. */
export const emptyTerm = (): Term =>
  textTerm({ code: 1 }, ({ reply, finishReason }) => (finishReason === "cancelled" ? 0 : -emptiness(reply)));

/** Word triples that come again, beyond the share that is ordinary style. */
export const repetitionTerm = ({ ordinary }: { ordinary: number }): Term =>
  textTerm({ code: 1, ordinary }, ({ reply }) => -excess(repetition(reply), ordinary));

/** Replies outside a band of words. One that its reader stopped is not too short. */
export const lengthTerm = (band: LengthBand): Term =>
  textTerm({ code: 1, ...band }, ({ reply, finishReason }) =>
    finishReason === "cancelled" ? -outsideLength(reply, { ...band, least: 0 }) : -outsideLength(reply, band),
  );

/** Dodging, beyond the share of a reply that may ask back before it answers. */
export const evasionTerm = ({ ordinary }: { ordinary: number }): Term =>
  textTerm({ code: 1, ordinary }, ({ prompt, reply }) => -excess(evasion(prompt, reply), ordinary));

/**
 * Text in another language than `expected`, an ISO 639-1 code, or "prompt": that of the message, or English
 * where the message is too short to tell.
 */
export const languageTerm = ({ expected }: { expected: string }): Term =>
  textTerm({ code: 1, expected }, ({ prompt, reply }) => {
    const language = expected === "prompt" ? (detectLanguage(prompt) ?? "en") : expected;
    return -foreignness(reply, language);
  });
