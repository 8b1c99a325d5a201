import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConan, loadConanFamily, loadDialoConan } from "./conan.ts";
import { loadEverydayDialogues, loadEverydayFolder } from "./dialogue.ts";
import { loadGab } from "./gab.ts";
import { loadHhRlhf, parseTranscript } from "./hh-rlhf.ts";
import { loadIntentConan } from "./intent-conan.ts";
import { loadPerspectiveScored } from "./perspective-scored.ts";
import { loadPromptList, loadRealToxicityPrompts } from "./real-toxicity-prompts.ts";
import {
  loadDavidson,
  loadDiaSafety,
  loadHatemoji,
  loadHateXplain,
  loadJigsaw,
  loadParaDetox,
  loadTweetEval,
} from "./toxicity.ts";
import type { LabelledText } from "./types.ts";

const samples = join(import.meta.dirname, "samples");
const toxicity = join(samples, "toxicity");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "loaders-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, ...lines: string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

function countBy(texts: readonly LabelledText[], key: (text: LabelledText) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[key(text)] = (counts[key(text)] ?? 0) + 1;
  return counts;
}

describe("DIALOCONAN", () => {
  const header = "text,TARGET,dialogue_id,turn_id,type,source";

  it("makes hate speech the user and counter-narratives the assistant", () => {
    const [first] = loadDialoConan(join(samples, "conan", "DIALOCONAN.csv"));
    expect(first).toMatchObject({ id: "0", source: "dialoconan", target: "MIGRANTS" });
    expect(first?.turns.map((turn) => turn.role)).toEqual(["user", "assistant", "user", "assistant"]);
    expect(first?.turns[0]?.content).toBe("Migrants only come here to live off our taxes.");
  });

  it("cuts a dialogue before the first turn that breaks the alternation", () => {
    const path = file("d.csv", header, "a,X,7,0,HS,s", "b,X,7,1,CN,s", "c,X,7,2,HS,s", "d,X,7,3,HS,s", "e,X,7,4,CN,s");
    expect(loadDialoConan(path)[0]?.turns.map((turn) => turn.content)).toEqual(["a", "b", "c"]);
  });

  it("refuses a dialogue that begins with a counter-narrative, and turns out of order", () => {
    expect(() => loadDialoConan(file("d.csv", header, "a,X,7,0,CN,s"))).toThrow(/d\.csv, row 1: .*dialogue 7.*got CN/);
    const unordered = file("e.csv", header, "a,X,7,1,HS,s", "b,X,7,0,CN,s");
    expect(() => loadDialoConan(unordered)).toThrow(/row 2: expected a turn_id above 1 in dialogue 7, got 0/);
  });
});

describe("sets of single pairs", () => {
  it("reads the CONAN family as dialogues of two turns", () => {
    const dialogues = loadConanFamily(join(samples, "conan"));
    const sources = new Set(dialogues.map((dialogue) => dialogue.source));
    expect([...sources]).toEqual(["dialoconan", "multitarget-conan", "conan", "kn-grounded"]);
    const knowledge = dialogues.find((dialogue) => dialogue.source === "kn-grounded");
    expect(knowledge?.turns).toEqual([
      { role: "user", content: "Migrants bring nothing but trouble." },
      {
        role: "assistant",
        content: "Without staff born abroad many hospitals would have to close wards. That is hardly trouble.",
      },
    ]);
  });

  it("names the column that a CONAN file lacks", () => {
    expect(() => loadConan(file("c.csv", "cn_id,hateSpeech,hsType", "1,a,b"))).toThrow('column "counterSpeech"');
  });

  it("keeps IntentCONAN's intents", () => {
    const dialogues = loadIntentConan(join(samples, "intentconan"));
    expect(dialogues).toHaveLength(9);
    expect(dialogues[0]).toMatchObject({ id: "train-0", source: "intent-conan", intent: "question" });
  });

  it("reads both Gab files", () => {
    expect(loadGab(join(samples, "gab_intervene"))).toHaveLength(5);
  });
});

describe("everyday dialogues", () => {
  it("lets the first speaker be the user, merges turns of one side and drops a line of labels", () => {
    const dialogues = loadEverydayFolder(join(samples, "dialogue"));
    expect(dialogues).toHaveLength(5);
    expect(dialogues[0]?.turns.at(-1)).toEqual({ role: "assistant", content: "Oh no . Shall I talk to her ?" });
    expect(dialogues[3]?.turns).toHaveLength(2);
  });

  it("keeps a last turn that is a number but no line of labels", () => {
    const path = file(
      "n.jsonl",
      '{"source":"s","split":"train","id":1,"turns":[{"s":"a","t":"How many?"},{"s":"b","t":"12 5"}]}',
    );
    expect(loadEverydayDialogues(path)[0]?.turns[1]?.content).toBe("12 5");
  });

  it("names the row whose turns are missing", () => {
    const path = file("n.jsonl", '{"source":"s","split":"train","id":1}');
    expect(() => loadEverydayDialogues(path)).toThrow(/n\.jsonl, row 1: column "turns"/);
  });

  it("refuses a folder without dialogues", () => {
    expect(() => loadEverydayFolder(folder)).toThrow("found none");
  });
});

describe("hh-rlhf", () => {
  it("splits a transcript into turns, with blank lines inside them", () => {
    expect(parseTranscript("\n\nHuman: Hi\n\nthere\n\nAssistant: Hello\n\nHuman: \n\nAssistant: Anyone?")).toEqual([
      { role: "user", content: "Hi\n\nthere" },
      { role: "assistant", content: "Hello Anyone?" },
    ]);
  });

  it("takes the preferred ending", () => {
    const [first] = loadHhRlhf(join(samples, "hh_rlhf", "harmless_base_test.jsonl"));
    expect(first?.turns.at(-1)?.content).toBe("Talking to him may help more. Shall we think about what to say?");
  });

  it("refuses a transcript that does not begin with the human", () => {
    const path = file("h.jsonl", '{"chosen":"\\n\\nAssistant: Hi","rejected":""}');
    expect(() => loadHhRlhf(path)).toThrow(/h\.jsonl, row 1: expected "chosen" to begin with/);
  });
});

describe("labelled texts", () => {
  it("reads Jigsaw's binary labels", () => {
    expect(countBy(loadJigsaw(join(toxicity, "jigsaw.csv")), ({ toxic }) => String(toxic))).toEqual({
      true: 3,
      false: 3,
    });
    expect(() => loadJigsaw(file("j.csv", "text,toxic", "a,yes"))).toThrow(/j\.csv, row 1: column "toxic"/);
  });

  it("takes Davidson's class 0 as an attack on an identity and class 2 as clean", () => {
    const texts = loadDavidson(join(toxicity, "davidson.csv"));
    expect(texts.map(({ toxic, identityAttack }) => [toxic, identityAttack])).toEqual([
      [false, false],
      [true, false],
      [true, false],
      [true, true],
      [false, false],
    ]);
  });

  it("reads HateXplain's three files with quotation marks in them", () => {
    const texts = loadHateXplain(toxicity);
    expect(countBy(texts, ({ split }) => split)).toEqual({ train: 5, validation: 2, test: 2 });
    expect(texts[3]).toMatchObject({ text: 'she said "never again" and meant it', toxic: false });
    expect(texts[2]).toMatchObject({ toxic: true, identityAttack: true });
    expect(texts[1]).toMatchObject({ toxic: true, identityAttack: false });
  });

  it("reads both TweetEval tasks", () => {
    expect(loadTweetEval(toxicity, "offensive")[0]).toMatchObject({ toxic: true, source: "tweeteval-offensive" });
    expect(loadTweetEval(toxicity, "offensive")[0]?.identityAttack).toBeUndefined();
    expect(loadTweetEval(toxicity, "hate")[0]?.identityAttack).toBe(true);
  });

  it("reads HatemojiBuild with its emoji", () => {
    expect(loadHatemoji(toxicity)[0]).toEqual({
      text: "my boss is a 🤡",
      toxic: true,
      identityAttack: true,
      source: "hatemoji",
      split: "train",
    });
  });

  it("takes from DiaSafety what is safe or toxic, with the message answered, and not what is merely unsafe", () => {
    const texts = loadDiaSafety(toxicity).filter(({ split }) => split === "train");
    expect(texts).toHaveLength(4);
    expect(texts[2]).toMatchObject({ context: "My cousin is a total loser.", toxic: true });
    expect(texts.some(({ text }) => text.includes("deep breath"))).toBe(false);
  });

  it("reads ParaDetox's neutral wordings, skipping empty ones", () => {
    const pairs = loadParaDetox(join(toxicity, "paradetox.tsv"));
    expect(pairs[2]).toEqual({
      toxic: "he is a lazy idiot and never calls .",
      neutral: ["He never calls.", "He does not call me."],
    });
    expect(pairs[4]?.toxic).toBe('"you moron " , she said , " that is my soup ."');
  });
});

describe("prompts and scored replies", () => {
  it("reads RealToxicityPrompts and leaves out scores that are null", () => {
    const prompts = loadRealToxicityPrompts(join(samples, "real_toxicity_prompts", "nontoxic.jsonl"));
    expect(prompts[0]?.promptScores).toEqual({ toxicity: 0.03, insult: 0.03, severe_toxicity: 0.007 });
    expect(prompts[2]?.continuationScores).toEqual({});
    expect(`${prompts[0]?.prompt}${prompts[0]?.continuation}`).toBe(
      "The library opens its new reading room on the first Monday of May.",
    );
  });

  it("refuses a score outside 0..1", () => {
    const half = '{"text":"a","toxicity":1.5}';
    const path = file("p.jsonl", `{"filename":"f","begin":0,"end":1,"prompt":${half},"continuation":${half}}`);
    expect(() => loadRealToxicityPrompts(path)).toThrow(/p\.jsonl, row 1: column "prompt\.toxicity"/);
  });

  it("reads a plain list of prompts", () => {
    expect(loadPromptList(join(samples, "prompts.jsonl"))).toHaveLength(12);
  });

  it("takes neither an empty Perspective cell nor -1 for a score", () => {
    const replies = loadPerspectiveScored(join(samples, "perspective_scored", "responses.csv"));
    expect(replies.map((reply) => reply.perspectiveToxicity)).toEqual([0.04, 0.83, undefined, 0.11, 0.66, undefined]);
    expect(replies[1]).toMatchObject({ robertaHate: 0.42, prompts: "conan", stage: "pre" });
  });
});
