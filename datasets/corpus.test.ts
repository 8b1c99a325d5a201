import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { corpusDocuments, isEvaluationPrompt } from "./corpus.ts";
import { loadCounterNarratives, type SplitDialogue } from "./counter-narratives.ts";

const samples = join(import.meta.dirname, "samples");

function textsOf(counterNarratives: readonly SplitDialogue[]): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const { source, content } of corpusDocuments(samples, counterNarratives)) {
    const text = "text" in content ? content.text : content.turns.map((turn) => turn.content).join(" | ");
    texts.set(source, [...(texts.get(source) ?? []), text]);
  }
  return texts;
}

describe("corpusDocuments", () => {
  const texts = textsOf(loadCounterNarratives(samples));

  it("gives everyday dialogues ordinary English spacing", () => {
    expect(texts.get("sample")?.[0]).toBe(
      "Good morning! Did you sleep well? | I did, thanks. And you? | Not really. The neighbour's dog barked all night. | Oh no. Shall I talk to her?",
    );
  });

  it("has rude texts alone and, where they are toxic, as one side of a dialogue", () => {
    expect(texts.get("jigsaw")).toContain("Please stop deleting my paragraph, you silly fool.");
    expect(texts.get("davidson")).toContain("the bakery on our corner is open again & it smells great");
    const replies = [...texts].filter(([source]) => source.endsWith("-replies")).flatMap(([, list]) => list);
    expect(replies.length).toBeGreaterThan(0);
    for (const reply of replies) expect(reply).toContain(" | ");
    expect(replies.join()).not.toContain("bakery");
  });

  it("takes conversations from DiaSafety's training part only", () => {
    expect(texts.get("diasafety")).toContain("My cousin is a total loser. | Yes, what an idiot he is.");
    expect(texts.get("diasafety")?.join()).not.toContain("radios");
  });

  it("leaves out prompts that toxicity is measured on", () => {
    const sentences = texts.get("real-toxicity-prompts")?.join() ?? "";
    expect(sentences).not.toContain("miserable idiot");
    expect(isEvaluationPrompt("In the second half the visitors ran")).toBe(
      isEvaluationPrompt("in the second half the visitors ran!"),
    );
  });

  it("has counter-narratives of the training split only, and no other document with a turn of the others", () => {
    const heldOut: SplitDialogue = {
      id: "1",
      source: "conan",
      split: "test",
      turns: [
        { role: "user", content: "Have you seen the new film about penguins?" },
        { role: "assistant", content: "A held-out counter-narrative." },
      ],
    };
    const withHeldOut = textsOf([heldOut, { ...heldOut, id: "2", split: "train", source: "gab" }]);
    expect(withHeldOut.get("conan")).toBeUndefined();
    expect(withHeldOut.get("gab")).toHaveLength(1);
    expect(texts.get("sample")).toHaveLength(5);
    expect(withHeldOut.get("sample")).toHaveLength(4);
  });
});
