import { join } from "node:path";
import { expect, it } from "vitest";
import { messagesToAnswer } from "./messages-to-answer.ts";

it("takes hateful turns, with whether they follow on anything, and toxic texts, cleaned, from the training parts only", () => {
  const found = [...messagesToAnswer(join(import.meta.dirname, "samples"))];
  const opening = (text: string) => ({ text, isFollowUp: false });
  expect(found).toContainEqual(opening("Migrants only come here to live off our taxes."));
  expect(found).toContainEqual({
    text: "Figures can be made up. I see them standing around all day.",
    isFollowUp: true,
  });
  expect(found).toContainEqual(opening("you absolute donkey"));
  expect(found).toContainEqual(opening("this damn printer is a piece of junk."));
  expect(found).toContainEqual(opening("I failed my driving test today."));
  const texts = found.map(({ text }) => text);
  // A clean text, one of the validation part, one of the test part.
  expect(texts).not.toContain("my cat has opinions");
  expect(texts).not.toContain("shut up clown");
  expect(texts).not.toContain("that lot ruin every street they live in");
});
