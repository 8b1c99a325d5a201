import { describe, expect, it } from "vitest";
import { detectLanguage, foreignness, otherScript } from "./language.ts";

const english = "That is simply not true, my friend.";
const german = "Das ist doch einfach nicht wahr, mein lieber Freund.";

describe("foreignness", () => {
  it("is 0 in the expected language and 1 in another", () => {
    expect(foreignness(english, "en")).toBe(0);
    expect(foreignness(german, "de")).toBe(0);
    expect(foreignness(german, "en")).toBe(1);
    // Seven words are not quite enough to be sure: three quarters.
    expect(foreignness(english, "de")).toBe(0.75);
  });

  it("is the share of words in foreign sentences", () => {
    // Seven English words and nine German ones.
    expect(foreignness(`${english} ${german}`, "en")).toBeCloseTo(9 / 16, 12);
  });

  it("gives short texts the benefit of the doubt, unless they are in another script", () => {
    for (const text of ["", "42", "Merci beaucoup", "Ja, genau.", "Naïve café talk"])
      expect(foreignness(text, "en")).toBe(0);
    expect(foreignness("Это неправда", "en")).toBe(1);
    expect(foreignness("不是真的", "en")).toBe(1);
    expect(foreignness("No", "ru")).toBe(1);
  });

  it("lets a name or a quotation in other letters pass", () => {
    expect(foreignness(`${english} ${english} The word мир means peace.`, "en")).toBe(0);
  });
});

describe("detectLanguage", () => {
  it("names a language by its code, and none for what is too short", () => {
    expect(detectLanguage(english)).toBe("en");
    expect(detectLanguage(german)).toBe("de");
    expect(detectLanguage("这不是真的,每个人都应该受到尊重")).toBe("zh");
    expect(detectLanguage("No way")).toBeNull();
  });
});

describe("otherScript", () => {
  it("is the share of letters that the language is not written with", () => {
    expect(otherScript("abcд", "en")).toBe(0.25);
    expect(otherScript("abcд", "ru")).toBe(0.75);
    expect(otherScript("42!", "en")).toBe(0);
  });
});
