import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { conversations, loadCounterNarratives, type SplitDialogue } from "./counter-narratives.ts";
import { normalizeTurn } from "./split.ts";

function dialogue(...texts: string[]): SplitDialogue {
  const turns = texts.map((content, index) => ({
    role: index % 2 ? ("assistant" as const) : ("user" as const),
    content,
  }));
  return { id: texts.join(), source: "test", split: "train", turns };
}

const long = (words: number) => Array.from({ length: words }, (_, i) => `w${i}`).join(" ");

describe("conversations", () => {
  it("gives each counter-narrative with all earlier turns before it", () => {
    const examples = conversations([
      dialogue("first hate", "a calm first answer", "second hate", "a calm second answer"),
    ]);
    expect(examples.map(({ messages, reply }) => [messages.map((turn) => turn.content), reply])).toEqual([
      [["first hate"], "a calm first answer"],
      [["first hate", "a calm first answer", "second hate"], "a calm second answer"],
    ]);
  });

  it("leaves out replies of fewer than 4 and more than 120 words, but keeps them as history", () => {
    const examples = conversations([
      dialogue("a", "too short here", "b", long(4)),
      dialogue("c", long(120)),
      dialogue("d", long(121)),
      dialogue("e", ""),
    ]);
    expect(examples.map(({ reply }) => reply.split(" ").length)).toEqual([4, 120]);
    expect(examples[0]?.messages).toHaveLength(3);
  });

  it("leaves out an exchange that another set has already given", () => {
    const again = { ...dialogue("You are rude!", "please stay calm, all"), source: "other" };
    expect(conversations([dialogue("you are rude", "Please stay calm, all."), again])).toHaveLength(1);
  });
});

describe("loadCounterNarratives", () => {
  it("has no turn in two splits, although the sample sets share turns", () => {
    const dialogues = loadCounterNarratives(join(import.meta.dirname, "samples"));
    const splitsOf = new Map<string, Set<string>>();
    for (const { split, turns } of dialogues) {
      for (const turn of turns) {
        const key = normalizeTurn(turn.content);
        splitsOf.set(key, (splitsOf.get(key) ?? new Set()).add(split));
      }
    }
    const shared = dialogues.filter(({ turns }) => turns[0]?.content === "Women can't drive, everyone knows that.");
    expect(new Set(shared.map(({ source }) => source)).size).toBe(2);
    expect([...splitsOf.values()].filter((splits) => splits.size > 1)).toEqual([]);
  });
});
