import { join } from "node:path";
import { cleanText, cleanTweet, cleanWikiComment, cutWords, isProse, joinPunctuation } from "./clean-text.ts";
import type { SplitDialogue } from "./counter-narratives.ts";
import { loadEverydayFolder } from "./dialogue.ts";
import { loadHhRlhf } from "./hh-rlhf.ts";
import { loadPromptList, loadRealToxicityPrompts } from "./real-toxicity-prompts.ts";
import { hashFraction, normalizeTurn } from "./split.ts";
import { loadDavidson, loadDiaSafety, loadJigsaw, loadParaDetox } from "./toxicity.ts";
import type { Dialogue, Turn } from "./types.ts";

/** One document to pre-train on: a plain text or a dialogue. */
export interface CorpusDocument {
  source: string;
  heldOut: boolean;
  content: { text: string } | { turns: Turn[] };
}

const longestText = 200;
const heldOutShare = 0.01;

/**
 * Documents for pre-training the embedded model from the folders under `dataDir`: everyday dialogues, hh-rlhf,
 * counter-narrative dialogues of the training split, and rude text, both alone and as replies.
 *
 * Rude replies are there on purpose: the base model must be able to answer rudely, or there would be nothing for
 * detoxification to change. Held out are 1 % of the documents by hash; a document that has a turn in common with the
 * validation or test part of the counter-narratives is left out, and so are the sentences that toxicity is measured on.
 */
export function* corpusDocuments(
  dataDir: string,
  counterNarratives: readonly SplitDialogue[],
): Generator<CorpusDocument> {
  const reserved = new Set<string>();
  for (const { split, turns } of counterNarratives) {
    if (split !== "train") for (const turn of turns) reserved.add(normalizeTurn(turn.content));
  }
  const free = (text: string) => text !== "" && !reserved.has(normalizeTurn(text));

  for (const dialogue of everydayDialogues(dataDir)) {
    if (dialogue.turns.every((turn) => free(turn.content))) yield asDocument(dialogue);
  }
  for (const dialogue of counterNarratives) {
    if (dialogue.split === "train" && dialogue.turns.every((turn) => turn.content !== "")) {
      yield {
        source: dialogue.source,
        heldOut: false,
        content: { turns: dialogue.turns },
      };
    }
  }
  yield* rudeDocuments(dataDir, free);
}

function asDocument({ source, turns }: Dialogue): CorpusDocument {
  const heldOut = hashFraction(turns.map((turn) => turn.content).join("\n")) < heldOutShare;
  return { source, heldOut, content: { turns } };
}

function* everydayDialogues(dataDir: string): Generator<Dialogue> {
  for (const dialogue of loadEverydayFolder(join(dataDir, "dialogue"))) yield cleanDialogue(dialogue, joinPunctuation);
  for (const dialogue of loadHhRlhf(join(dataDir, "hh_rlhf", "harmless_base_test.jsonl"))) {
    yield cleanDialogue(dialogue, cleanText);
  }
}

function cleanDialogue(dialogue: Dialogue, clean: (text: string) => string): Dialogue {
  const turns = dialogue.turns.map(({ role, content }) => ({
    role,
    content: cutWords(clean(content), longestText),
  }));
  return { ...dialogue, turns };
}

/** Each rude text once alone; toxic ones that are not too long once more in a dialogue of two. */
function* rudeDocuments(dataDir: string, free: (text: string) => boolean): Generator<CorpusDocument> {
  const texts = [...rudeTexts(dataDir)].filter(({ text }) => isProse(text) && free(text));
  for (const { source, text } of texts) {
    yield {
      source,
      heldOut: hashFraction(text) < heldOutShare,
      content: { text },
    };
  }

  // By hash, a random pairing that does not depend on the order of the files.
  const partners = texts
    .filter(({ text, toxic }) => toxic && text.split(" ").length <= 60)
    .sort((a, b) => hashFraction(a.text) - hashFraction(b.text));
  for (let i = 0; i + 1 < partners.length; i += 2) {
    const [message, reply] = partners.slice(i, i + 2);
    if (message && reply) {
      yield asDocument({
        id: "",
        source: `${reply.source}-replies`,
        turns: exchange(message.text, reply.text),
      });
    }
  }
  // Here the reply, safe or toxic, was really given to the message; "__" stands where an apostrophe was lost.
  for (const { context, text, split } of loadDiaSafety(join(dataDir, "toxicity"))) {
    const turns = exchange(cleanTweet(context ?? ""), cleanTweet(text));
    if (split === "train" && turns.every((turn) => free(turn.content) && !turn.content.includes("__"))) {
      yield asDocument({ id: "", source: "diasafety", turns });
    }
  }
}

function exchange(message: string, reply: string): Turn[] {
  return [
    { role: "user", content: cutWords(message, longestText) },
    { role: "assistant", content: cutWords(reply, longestText) },
  ];
}

interface RudeText {
  source: string;
  text: string;
  toxic: boolean;
}

function* rudeTexts(dataDir: string): Generator<RudeText> {
  const toxicity = join(dataDir, "toxicity");
  for (const { text, toxic, split } of loadJigsaw(join(toxicity, "jigsaw.csv"))) {
    if (split !== "test")
      yield {
        source: "jigsaw",
        text: cutWords(cleanWikiComment(text), longestText),
        toxic,
      };
  }
  for (const { text, toxic, split } of loadDavidson(join(toxicity, "davidson.csv"))) {
    if (split !== "test") yield { source: "davidson", text: cleanTweet(text), toxic };
  }
  for (const { toxic, neutral } of loadParaDetox(join(toxicity, "paradetox.tsv"))) {
    yield { source: "paradetox", text: joinPunctuation(toxic), toxic: true };
    // One neutral wording is enough: the others hardly differ from it.
    if (neutral[0])
      yield {
        source: "paradetox",
        text: joinPunctuation(neutral[0]),
        toxic: false,
      };
  }
  yield* promptSentences(join(dataDir, "real_toxicity_prompts"));
}

/** RealToxicityPrompts sentences, without those on which toxicity is measured and half of the prompts, by hash. */
function* promptSentences(folder: string): Generator<RudeText> {
  const measured = new Set(loadPromptList(join(folder, "rewardlm_5549.jsonl")).map(normalizeTurn));
  for (const part of ["challenging", "random"]) {
    for (const { prompt, continuation, continuationScores } of loadRealToxicityPrompts(join(folder, `${part}.jsonl`))) {
      const sentence = prompt + continuation;
      if (isEvaluationPrompt(prompt) || measured.has(normalizeTurn(sentence))) continue;
      const toxic = (continuationScores.toxicity ?? 0) > 0.5;
      yield {
        source: "real-toxicity-prompts",
        text: cutWords(joinPunctuation(sentence), longestText),
        toxic,
      };
    }
  }
}

/** The half of RealToxicityPrompts that no training text is taken from: measure the embedded model on these. */
export function isEvaluationPrompt(prompt: string): boolean {
  return hashFraction(normalizeTurn(prompt)) < 0.5;
}
