import { describe, expect, it } from "vitest";
import {
  cleanText,
  cleanTweet,
  cleanWikiComment,
  cutWords,
  decodeEntities,
  isProse,
  joinPunctuation,
} from "./clean-text.ts";

describe("cleanText", () => {
  it("straightens quotation marks, spaces and ellipses and drops invisible characters", () => {
    expect(cleanText(" “It’s”\u00a0\u200bfine…\n\nreally ")).toBe('"It\'s" fine... really');
  });

  it("keeps emoji, accents and other scripts", () => {
    expect(cleanText("café 👍🏽 Straße 日本")).toBe("café 👍🏽 Straße 日本");
  });
});

describe("decodeEntities", () => {
  it("decodes named, decimal, hexadecimal and doubly escaped entities", () => {
    expect(decodeEntities("a &amp; b &lt;3 &#128514; &#x41; &amp;quot;c&amp;quot;")).toBe('a & b <3 😂 A "c"');
  });

  it("leaves unknown names and drops private-use characters", () => {
    expect(decodeEntities("&foo; x&#57361;y")).toBe("&foo; x y");
  });
});

describe("joinPunctuation", () => {
  it.each([
    ["The kitchen stinks .", "The kitchen stinks."],
    ["Is it your driver ’ s license ?", "Is it your driver's license?"],
    ["I don ’ t know , sir . At 5 o ' clock ?", "I don't know, sir. At 5 o'clock?"],
    ["they do n't care", "they don't care"],
    ['He said " come in " and left .', 'He said "come in" and left.'],
    ["As he said ' all of it ! '", "As he said 'all of it!'"],
    ["It costs $ 3 , 000 ( about 3 . 5 months ) .", "It costs $3,000 (about 3.5 months)."],
    ["Really?Great", "Really? Great"],
    ["Wait . . . what", "Wait... what"],
  ])("turns %j into %j", (spaced, expected) => {
    expect(joinPunctuation(spaced)).toBe(expected);
  });

  it.each(["In 2017, 300 people came.", "I am happy :) and you?", "It rose by .5 percent", 'She said "yes" twice.'])(
    "leaves %j as it is",
    (text) => {
      expect(joinPunctuation(text)).toBe(text);
    },
  );
});

describe("cleanTweet", () => {
  it.each([
    ["!!! RT @someone: that &amp; this http://t.co/abc", "that & this"],
    ['""@someone: oh no" same', 'oh no" same'],
    ["[](/emote)well said", "well said"],
  ])("turns %j into %j", (tweet, expected) => {
    expect(cleanTweet(tweet)).toBe(expected);
  });
});

describe("cleanWikiComment", () => {
  it("drops heading marks, indentation and doubled quotation marks", () => {
    expect(cleanWikiComment("== Your edit ==    Please stop, '''now'''.")).toBe("Please stop, now .");
    expect(cleanWikiComment('""" ::I added a """"source"""" today. """')).toBe('I added a "source" today.');
  });
});

describe("cutWords", () => {
  it("cuts at the end of a sentence in the second half, else at the word", () => {
    expect(cutWords("one two", 3)).toBe("one two");
    expect(cutWords("one two three. four five", 4)).toBe("one two three.");
    expect(cutWords("one. two three four five", 4)).toBe("one. two three four");
  });
});

describe("isProse", () => {
  it("takes sentences and refuses fragments, symbols, other scripts and endless repetition", () => {
    expect(isProse("what a lovely day")).toBe(true);
    expect(isProse("too short")).toBe(false);
    expect(isProse("12:30 2007-01-02 (UTC) 55 66")).toBe(false);
    expect(isProse("это просто русский текст")).toBe(false);
    expect(isProse("go away ".repeat(20).trim())).toBe(false);
  });
});
