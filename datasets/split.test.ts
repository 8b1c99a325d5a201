import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectedComponents, hashFraction, hashSplit, normalizeTurn, splitDialogues } from "./split.ts";
import type { Dialogue } from "./types.ts";

function dialogue(id: number | string, ...texts: string[]): Dialogue {
  const turns = texts.map((content, index) => ({
    role: index % 2 ? ("assistant" as const) : ("user" as const),
    content,
  }));
  return { id: String(id), source: "test", turns };
}

describe("normalizeTurn", () => {
  it("ignores case, punctuation, spacing and compatibility forms", () => {
    expect(normalizeTurn("  Isn’t THAT ﬁne?! ")).toBe("isn t that fine");
    expect(normalizeTurn("isn't that fine")).toBe("isn t that fine");
    expect(normalizeTurn("🙂!")).toBe("");
  });
});

describe("hashFraction", () => {
  it("is the first four bytes of the sha256, read as a little-endian fraction", () => {
    // sha256("abc") begins ba 78 16 bf (FIPS 180-2).
    expect(hashFraction("abc")).toBe(0xbf1678ba / 2 ** 32);
  });

  it("puts texts that differ only in case and punctuation into one split", () => {
    expect(hashSplit("Hello, you!")).toBe(hashSplit("hello you"));
  });
});

describe("connectedComponents", () => {
  it("joins what shares a key directly or through others", () => {
    const components = connectedComponents([["a", "b"], ["c"], ["b", "d"], [], ["d"], ["c", "e"]]);
    expect(components).toEqual([[0, 2, 4], [1, 5], [3]]);
  });
});

describe("splitDialogues", () => {
  const word = fc.constantFrom("a", "B", "c!", "D.", "e", "f", "g", "h", "i", "j", "k", "l");
  const text = fc.tuple(word, word).map((pair) => pair.join(" "));
  const someDialogues = fc.array(fc.array(text, { minLength: 1, maxLength: 5 }), { maxLength: 60 });

  it("never has one normalized turn in two splits", () => {
    fc.assert(
      fc.property(someDialogues, (texts) => {
        const dialogues = texts.map((turns, index) => dialogue(index, ...turns));
        const splits = splitDialogues(dialogues);
        const splitOfTurn = new Map<string, string>();
        for (const [index, { turns }] of dialogues.entries()) {
          for (const turn of turns) {
            const key = normalizeTurn(turn.content);
            expect(splitOfTurn.get(key) ?? splits[index]).toBe(splits[index]);
            splitOfTurn.set(key, splits[index] ?? "");
          }
        }
      }),
    );
  });

  it("depends on neither the order nor the ids of the dialogues", () => {
    fc.assert(
      fc.property(someDialogues, (texts) => {
        const dialogues = texts.map((turns, index) => dialogue(index, ...turns));
        const reversed = texts.toReversed().map((turns, index) => dialogue(`r${index}`, ...turns));
        expect(splitDialogues(reversed).toReversed()).toEqual(splitDialogues(dialogues));
      }),
    );
  });

  it("gives about 5 % each to validation and test", () => {
    const splits = splitDialogues(Array.from({ length: 4000 }, (_, i) => dialogue(i, `hate ${i}`, `counter ${i}`)));
    for (const split of ["validation", "test"]) {
      const share = splits.filter((name) => name === split).length / splits.length;
      expect(share).toBeGreaterThan(0.04);
      expect(share).toBeLessThan(0.06);
    }
  });

  it("sends a giant component to train and takes the held-out parts from the rest", () => {
    const giant = Array.from({ length: 2000 }, (_, i) => dialogue(i, "the same message", `counter ${i}`));
    const rest = Array.from({ length: 2000 }, (_, i) => dialogue(i, `hate ${i}`, `other counter ${i}`));
    const splits = splitDialogues([...giant, ...rest]);
    expect(new Set(splits.slice(0, 2000))).toEqual(new Set(["train"]));
    const test = splits.filter((name) => name === "test").length;
    expect(test / splits.length).toBeGreaterThan(0.04);
    expect(test / splits.length).toBeLessThan(0.06);
  });
});
