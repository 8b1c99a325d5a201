/** Light normalization of raw texts, so that a small model learns one spelling of each mark. */

const namedEntities: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

/** Named and numeric HTML entities as characters, also where they were escaped twice. */
export function decodeEntities(text: string): string {
  const decodeOnce = (encoded: string) =>
    encoded.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
      if (name) return namedEntities[String(name).toLowerCase()] ?? whole;
      const codePoint = decimal ? Number(decimal) : Number.parseInt(hex, 16);
      // Lone surrogates and private-use characters (old emoji numbering in tweets) are no text.
      if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xf8ff)) return " ";
      return String.fromCodePoint(codePoint);
    });
  return decodeOnce(decodeOnce(text));
}

/** Straight quotation marks, three dots for an ellipsis, no invisible characters, single spaces. */
export function cleanText(text: string): string {
  return text
    .replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]|\p{Cc}(?<!\s)/gu, "")
    .replace(/[\u2018\u2019\u201a\u201b\u00b4\u02bc]/g, "'")
    .replace(/``|''|[\u201c\u201d\u201e\u201f]/g, '"')
    .replace(/\u2026/g, "...")
    .replace(/\ufffd/g, "")
    .replace(/[\s\u0085]+/g, " ")
    .trim();
}

/**
 * Ordinary English spacing for text whose punctuation was split off by a tokenizer, as DailyDialog's and ParaDetox's
 * ("do n't go , I ' m here ." becomes "don't go, I'm here.").
 */
export function joinPunctuation(text: string): string {
  return (
    cleanText(text)
      .replace(/(\w) ?' ?(s|t|re|ve|m|ll|d|clock)\b/gi, "$1'$2")
      .replace(/(\w) n't\b/gi, "$1n't")
      // A pair of quotation marks hugs what it quotes.
      .replace(/" ([^"]*[^" ]) "/g, '"$1"')
      .replace(/(?<![^ ])' ([^']*[^' ]) '(?=[ .,!?]|$)/g, "'$1'")
      .replace(/(\d) ([.,:]) (?=\d)/g, "$1$2")
      .replace(/\. \. ?\./g, "...")
      // Not the eyes of a ":)" nor the point of a ".5".
      .replace(/ +([,!?%)\]]|\.(?!\d)|[;:](?![-'()DPpO/]))/g, "$1")
      .replace(/([([$]) +/g, "$1")
      .replace(/([a-z][.!?])(?=[A-Z][a-z']|I\b)/g, "$1 ")
      .replace(/([a-z],)(?=[A-Za-z])/g, "$1 ")
      .replace(/ {2,}/g, " ")
      .trim()
  );
}

/** The text without web addresses. */
export function withoutLinks(text: string): string {
  return text.replace(/\b(?:https?:\/\/|www\.)\S*/gi, " ");
}

/** A tweet or forum post without its address line, links, entities, retweet marks and `[](/emote)` codes. */
export function cleanTweet(tweet: string): string {
  return cleanText(
    withoutLinks(decodeEntities(tweet))
      .replace(/\[\]\([^)]*\)/g, " ")
      .replace(/\bRT\b:?/g, " ")
      .replace(/["'\u201c]*@\w+:?/g, " "),
  ).replace(/^[!":.\s]+(?=\w)|[\s"]+$/g, "");
}

/** A Wikipedia talk-page comment without its heading marks, indentation and doubled quotation marks. */
export function cleanWikiComment(comment: string): string {
  return cleanText(
    withoutLinks(decodeEntities(comment))
      .replace(/={2,}[^=]{0,80}={2,}/g, " ")
      .replace(/={2,}|\*{2,}|~{3,}|\|+|\[\[|\]\]|\{\{|\}\}/g, " ")
      .replace(/'{2,}/g, " ")
      .replace(/"{2,}/g, '"')
      .replace(/(^|\s)[:*#]+(?=\s|\w|")/g, "$1"),
  )
    .replace(/^" | "$|^"(?=[^"]*$)/g, "")
    .trim();
}

/** At most `limit` words; a longer text is cut, at the end of a sentence if one lies in its second half. */
export function cutWords(text: string, limit: number): string {
  const words = text.split(" ");
  if (words.length <= limit) return text;
  const cut = words.slice(0, limit).join(" ");
  const end = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf("! "), cut.lastIndexOf("? "));
  return end > cut.length / 2 ? cut.slice(0, end + 1) : cut;
}

/** Whether a text reads as words: at least three of them, mostly Latin letters, and not one phrase over and over. */
export function isProse(text: string): boolean {
  const words = text.toLowerCase().split(" ");
  if (words.length < 3) return false;
  const letters = text.match(/[\p{Script=Latin} ]/gu)?.length ?? 0;
  if (letters < 0.75 * text.length) return false;
  return words.length < 20 || new Set(words).size > 0.4 * words.length;
}
