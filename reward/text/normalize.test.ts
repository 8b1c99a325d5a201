import { expect, test } from "vitest";
import { splitWords } from "./normalize.ts";

const words = (text: string) => splitWords(text).map((forms) => forms.join("/"));

test("ordinary text becomes its words in lower case, contractions whole", () => {
  expect(words("Don’t worry, it's 2nd-hand: 90s style!")).toEqual([
    "don't",
    "worry",
    "it's",
    "2nd",
    "hand",
    "90s",
    "style",
  ]);
});

test("signs that stand for letters are undone inside words only", () => {
  expect(words("1d10t h4ter $illy cla$$ l0ser")).toEqual(["idiot", "hater", "silly", "class", "loser"]);
  expect(words("covid19 in 2020 for $5 on the 1st")).toEqual([
    "covid19",
    "in",
    "2020",
    "for",
    "$5",
    "on",
    "the",
    "1st",
  ]);
});

test("spaced letters join only with one separator throughout", () => {
  expect(words("you i d i o t")).toEqual(["you", "idiot"]);
  expect(words("f.o.o.l s-i-l-l-y")).toEqual(["fool", "silly"]);
  expect(words("plan a b testing")).toEqual(["plan", "a", "b", "testing"]);
});

test("an elongated word has both spellings", () => {
  expect(words("soooo stuuupid goood")).toEqual(["soo/so", "stuupid/stupid", "good/god"]);
});

test("compatibility forms, accents, invisible characters and look-alike letters are folded", () => {
  expect(words("ＦＯＯＬ café id\u200biot")).toEqual(["fool", "cafe", "idiot"]);
  expect(words("іdіоt")).toEqual(["idiot"]); // three Cyrillic letters
  expect(words("привет")).toEqual(["привет"]);
});

test("links and handles go, entities are decoded, emoji are words without skin tone", () => {
  expect(words("@some_one see https://example.org/x &amp; &#128514; 👍🏽")).toEqual(["see", "😂", "👍"]);
});

test("a text without words has none", () => {
  expect(words("")).toEqual([]);
  expect(words(" ... !!! *** ")).toEqual([]);
});
