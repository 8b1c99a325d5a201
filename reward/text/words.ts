/** Words of a text in lower case; an apostrophe inside a word belongs to it. */
export const wordsOf = (text: string): string[] =>
  text
    .toLowerCase()
    .replaceAll("’", "'")
    .match(/[\p{L}\p{N}]+(?:'\p{L}+)*/gu) ?? [];
