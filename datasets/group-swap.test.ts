import { describe, expect, it } from "vitest";
import { drawGroup, swapGroup, swappableGroup } from "./group-swap.ts";

const pair = (message: string, reply: string) => ({ message, reply });

describe("swappableGroup", () => {
  it("finds the one group that message and reply are about", () => {
    expect(swappableGroup(pair("Migrants are lazy.", "Most migrants work hard."))).toBe("migrants");
    expect(swappableGroup(pair("Gay people are rude.", "Have you met many of them?"))).toBe("gay people");
  });

  it.each([
    ["two groups", "Migrants and women are lazy.", "That is not true."],
    ["another group in the reply", "Migrants are lazy.", "People say so of women, too."],
    ["no group in the message", "They are lazy.", "Migrants are not."],
    ["no group at all", "You are lazy.", "I am not."],
    ["what holds for one group only", "Muslims are lazy.", "The Quran says otherwise."],
    ["the group's singular", "Refugees are lazy.", "Every refugee I know works."],
    ["a border", "Migrants cross the border.", "Let them."],
  ])("leaves %s alone", (_, message, reply) => {
    expect(swappableGroup(pair(message, reply))).toBeNull();
  });
});

describe("swapGroup", () => {
  it("exchanges every mention, capitalized where a sentence begins", () => {
    const swapped = swapGroup(
      pair("Migrants are lazy, MIGRANTS always were. Migrants!", 'Who says "migrants are lazy"? Most migrants work.'),
      "migrants",
      "old people",
    );
    expect(swapped).toEqual(
      pair(
        "Old people are lazy, old people always were. Old people!",
        'Who says "Old people are lazy"? Most old people work.',
      ),
    );
  });

  it("does not touch longer words", () => {
    expect(swapGroup(pair("Women are loud.", "Womenfolk is a word."), "women", "Poles").reply).toBe(
      "Womenfolk is a word.",
    );
  });
});

describe("drawGroup", () => {
  it("covers its groups from the first to the last", () => {
    expect(drawGroup(0)).toBe("Roma people");
    expect(drawGroup(1 - 2 ** -53)).toBe("vegans");
  });
});
