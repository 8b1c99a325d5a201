import { expect, test } from "vitest";
import { splitSentences } from "./sentences.ts";

test("sentences end at final punctuation and line ends", () => {
  expect(splitSentences('I like this very much. "Do you like it too?" he asked me\nYes, of course I do!')).toEqual([
    "I like this very much.",
    '"Do you like it too?" he asked me',
    "Yes, of course I do!",
  ]);
});

test("very short sentences join a neighbour", () => {
  expect(splitSentences("No. Never. That is not what I said.")).toEqual(["No. Never. That is not what I said."]);
  expect(splitSentences("That is not what I said. No.")).toEqual(["That is not what I said. No."]);
});

test("a text without words has no sentence", () => {
  expect(splitSentences(" \n ")).toEqual([]);
});
