/**
 * Text normalisation before features are taken, the same in training and in scoring.
 *
 * The aim is that trivial obfuscation ("1d10t", "i d i o t", "idiooooot", full-width or accented letters) lands on the
 * word it imitates, while ordinary text stays as it was, apart from case.
 */

const namedEntities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/** Digits and signs that stand for a letter inside a word. `1` could be i or l: i is the commoner substitution. */
const leetLetters: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
  "|": "l",
};

/** Cyrillic and Greek letters drawn like Latin ones; replaced only in words that also hold Latin letters. */
const lookalikes: Readonly<Record<string, string>> = {
  а: "a",
  с: "c",
  е: "e",
  і: "i",
  о: "o",
  р: "p",
  ѕ: "s",
  х: "x",
  у: "y",
  к: "k",
  т: "t",
  α: "a",
  ο: "o",
  ι: "i",
  ν: "v",
  ρ: "p",
  τ: "t",
  υ: "u",
  κ: "k",
};

/** Format characters (soft hyphens, zero-width joiners, direction marks) and skin tones. */
const invisible = /[\p{Cf}\p{Emoji_Modifier}]/gu;
const url = /(?:https?:\/\/|www\.)\S+/g;
/** A handle, but not "@ss". */
const mention = /(?<![\p{L}\p{N}])@[\p{L}_][\p{L}\p{N}_]{2,}/gu;
/** At least three single letters with the same separator between each two. */
const spacedLetters = /(?<![\p{L}\p{N}'*])\p{L}([ .\-_*])\p{L}(?:\1\p{L})+(?![\p{L}\p{N}'*])/gu;
const word = /[\p{L}\p{N}@$*!|]+(?:'\p{L}+)*|\p{Extended_Pictographic}/gu;
const elongated = /(\p{L})\1{2,}/gu;

/** Longest word kept; what is longer is cut, so that one endless "word" costs no more than any other. */
const maximumWordLength = 40;

/** A normalised word: the forms under which it is looked up (two for an elongated word, otherwise one). */
export type WordForms = readonly string[];

/**
 * Splits a text into normalised words, in order; punctuation is dropped, an emoji is a word.
 *
 * An elongated word yields two forms, since nobody can tell how many letters were meant: "cooool" gives "cool" and
 * "col", "stuuupid" gives "stuupid" and "stupid".
 */
export function splitWords(text: string): WordForms[] {
  const plain = text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .normalize("NFKC")
    .replace(invisible, "")
    .toLowerCase()
    .replace(/&(?:#(\d{2,7})|([a-z]{2,4}));/g, decodeEntity)
    .replace(/[’‘`´]/g, "'")
    .replace(url, " ")
    .replace(mention, " ")
    .replace(spacedLetters, (run) => run.replace(/[^\p{L}]+/gu, ""));
  const words: WordForms[] = [];
  for (const match of plain.matchAll(word)) {
    const forms = wordForms(match[0]);
    if (forms.length > 0) words.push(forms);
  }
  return words;
}

function decodeEntity(whole: string, code: string | undefined, name: string | undefined): string {
  if (code !== undefined) return Number(code) <= 0x10ffff ? String.fromCodePoint(Number(code)) : " ";
  return namedEntities[name ?? ""] ?? whole;
}

function wordForms(raw: string): WordForms {
  const trimmed = raw.replace(/^[*!|]+|[!|]+$/g, "").slice(0, maximumWordLength);
  if (!/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(trimmed)) return [];
  const spelt = undoLeetspeak(undoLookalikes(trimmed));
  if (spelt.search(elongated) < 0) return [spelt];
  return [spelt.replace(elongated, "$1$1"), spelt.replace(elongated, "$1")];
}

function undoLookalikes(text: string): string {
  if (!/[a-z]/.test(text)) return text;
  return text.replace(/[\u0370-\u04FF]/g, (letter) => lookalikes[letter] ?? letter);
}

/** Replaces a sign by its letter only between letters, or where a whole word shows it: "$tupid", "a$$", not "90s". */
function undoLeetspeak(text: string): string {
  if (!/[a-z]/.test(text) || !/[0-9@$!|]/.test(text)) return text;
  let result = text;
  for (let pass = 0; pass < 2; pass++) {
    result = result.replace(/(?<=\p{L})[013457@$!|](?=[\p{L}013457@$!|]*\p{L})/gu, (sign) => leetLetters[sign] ?? sign);
  }
  return result
    .replace(/^[@$](?=\p{L})/u, (sign) => leetLetters[sign] ?? sign)
    .replace(/^[13457](?=\p{L}{3})/u, (sign) => leetLetters[sign] ?? sign)
    .replace(/(?<=\p{L})\$+$/u, (signs) => "s".repeat(signs.length));
}
