/**
 * Is a text in the language it should be in? By character n-grams (the package eld, 60 languages), with doubt in the
 * text's favour where it is short: of everyday English turns of fewer than 5 words a tenth is taken for something else,
 * of those of at least 8 words one in a thousand.
 */
import { eld } from "eld/small";
import { splitSentences } from "./sentences.ts";
import { wordsOf } from "./words.ts";

/** Languages that can be told apart, by ISO 639-1 code. */
export const knownLanguages: ReadonlySet<string> = new Set(Object.values(eld.info().Languages));

/** From so many words on a detection is believed, and from so many without reserve. */
const fewestWords = 5;
const enoughWords = 8;

/** Scripts of the languages of `knownLanguages` that are not written in Latin letters alone. */
const scripts: Readonly<Record<string, RegExp>> = {
  am: /\p{Script=Ethiopic}/gu,
  ar: /\p{Script=Arabic}/gu,
  be: /\p{Script=Cyrillic}/gu,
  bg: /\p{Script=Cyrillic}/gu,
  bn: /\p{Script=Bengali}/gu,
  el: /\p{Script=Greek}/gu,
  fa: /\p{Script=Arabic}/gu,
  gu: /\p{Script=Gujarati}/gu,
  he: /\p{Script=Hebrew}/gu,
  hi: /\p{Script=Devanagari}/gu,
  hy: /\p{Script=Armenian}/gu,
  ja: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu,
  ka: /\p{Script=Georgian}/gu,
  kn: /\p{Script=Kannada}/gu,
  ko: /[\p{Script=Hangul}\p{Script=Han}]/gu,
  lo: /\p{Script=Lao}/gu,
  ml: /\p{Script=Malayalam}/gu,
  mr: /\p{Script=Devanagari}/gu,
  or: /\p{Script=Oriya}/gu,
  pa: /\p{Script=Gurmukhi}/gu,
  ru: /\p{Script=Cyrillic}/gu,
  sr: /[\p{Script=Cyrillic}\p{Script=Latin}]/gu,
  ta: /\p{Script=Tamil}/gu,
  te: /\p{Script=Telugu}/gu,
  th: /\p{Script=Thai}/gu,
  uk: /\p{Script=Cyrillic}/gu,
  ur: /\p{Script=Arabic}/gu,
  zh: /\p{Script=Han}/gu,
};
const latin = /\p{Script=Latin}/gu;

/** Share of the letters that the language is not written with; a name or a quotation may bring some along. */
export function otherScript(text: string, language: string): number {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  return letters === 0 ? 0 : 1 - (text.match(scripts[language] ?? latin)?.length ?? 0) / letters;
}

/** Words, or for text without spaces between words, pairs of letters: how much there is to tell a language by. */
function evidence(text: string): number {
  const letters = text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu)?.length ?? 0;
  return Math.max(wordsOf(text).length, letters / 2);
}

/** Language of a text by ISO 639-1 code, or null where it is too short to tell. */
export function detectLanguage(text: string): string | null {
  if (evidence(text) < fewestWords) return null;
  const found = eld.detect(text);
  return found.isReliable() && found.language !== "" ? found.language : null;
}

/** Other letters up to this share are ordinary. */
const ordinaryOtherScript = 0.2;

/**
 * How much of a text is not in the expected language, 0..1: the larger of the share of its words that stand in sentences
 * of another language, those of few words counting less, and of its letters in another script beyond the ordinary.
 */
export function foreignness(text: string, expected: string): number {
  const byScript = Math.max(0, (otherScript(text, expected) - ordinaryOtherScript) / (1 - ordinaryOtherScript));
  let foreign = 0;
  let total = 0;
  for (const sentence of splitSentences(text)) {
    const weight = evidence(sentence);
    total += weight;
    const found = detectLanguage(sentence);
    if (found === null || found === expected) continue;
    const certainty = Math.min(1, (weight - fewestWords + 1) / (enoughWords - fewestWords + 1));
    foreign += weight * certainty;
  }
  return Math.max(byScript, total === 0 ? 0 : foreign / total);
}
