/** Endings that are taken off, longest first. */
const endings = [
  "ations",
  "ation",
  "ingly",
  "edly",
  "ments",
  "ness",
  "ment",
  "ings",
  "ing",
  "ies",
  "ied",
  "ers",
  "ely",
  "ed",
  "es",
  "ly",
  "er",
  "s",
  "e",
  "y",
];
const shortestStem = 3;

/** An English word without its ending, roughly: "immigrants" and "immigrant", "hating" and "hate" become one. */
export function stem(word: string): string {
  const bare = word.replace(/'\p{L}+$/u, "");
  const ending = endings.find((end) => bare.endsWith(end) && bare.length - end.length >= shortestStem);
  return ending === undefined ? bare : bare.slice(0, -ending.length);
}
