/** Reads every source into one list of examples with a target for each head of the classifier. */
import { join } from "node:path";
import { loadCounterNarratives } from "../../datasets/counter-narratives.ts";
import { loadEverydayFolder } from "../../datasets/dialogue.ts";
import { loadPromptList, loadRealToxicityPrompts } from "../../datasets/real-toxicity-prompts.ts";
import { hashFraction, hashSplit, normalizeTurn } from "../../datasets/split.ts";
import {
  loadDavidson,
  loadDiaSafety,
  loadHatemoji,
  loadHateXplain,
  loadJigsaw,
  loadParaDetox,
  loadTweetEval,
} from "../../datasets/toxicity.ts";
import type { AttributeScores, LabelledText, Split } from "../../datasets/types.ts";
import { writtenSentences } from "./identity-sentences.ts";
import type { Random } from "./random.ts";

/** Perspective's names, toxicity first. */
export const heads = ["TOXICITY", "SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT"] as const;
export type Head = (typeof heads)[number];

export interface Example {
  text: string;
  source: string;
  split: Split;
  /** Probability that each attribute holds; absent where the source says nothing. */
  targets: Partial<Record<Head, number>>;
}

/** What raters of a source called toxic may be shifted against Jigsaw's meaning: such a source learns its own offset. */
export const sourcesWithOffset: ReadonlySet<string> = new Set([
  "davidson",
  "hatexplain",
  "tweeteval-hate",
  "tweeteval-offensive",
  "hatemoji",
  "paradetox",
  "diasafety",
]);

/** Weight of one example in the loss: high where labels mean what Perspective's do, low where they are noisy. */
export const sourceWeights: Readonly<Record<string, number>> = {
  jigsaw: 3,
  "real-toxicity-prompts": 3,
  paradetox: 1,
  davidson: 0.5,
  hatexplain: 0.2,
  "tweeteval-hate": 0.1,
  "tweeteval-offensive": 0.5,
  hatemoji: 1,
  diasafety: 0.5,
  hate: 1,
  "counter-narrative": 2,
  dialogue: 0.3,
  written: 2,
};

const nothing: Record<Head, number> = {
  TOXICITY: 0,
  SEVERE_TOXICITY: 0,
  IDENTITY_ATTACK: 0,
  INSULT: 0,
  PROFANITY: 0,
  THREAT: 0,
};

/** Turns of everyday dialogue to take: enough to know small talk, too few to drown the rest. */
const dialogueTurns = 32_000;

/** @param dataDir holds `toxicity/`, `real_toxicity_prompts/`, `dialogue/` and the counter-narrative folders */
export function loadExamples(dataDir: string, random: Random): Example[] {
  const toxicity = join(dataDir, "toxicity");
  const labelled = [
    ...loadJigsaw(join(toxicity, "jigsaw.csv")),
    ...loadDavidson(join(toxicity, "davidson.csv")),
    ...loadHateXplain(toxicity),
    ...loadTweetEval(toxicity, "hate"),
    ...loadTweetEval(toxicity, "offensive"),
    ...loadHatemoji(toxicity),
    ...loadDiaSafety(toxicity),
  ].map(fromLabelled);
  return [
    ...labelled,
    ...paraphrases(join(toxicity, "paradetox.tsv")),
    ...promptHalves(join(dataDir, "real_toxicity_prompts")),
    ...counterNarratives(dataDir),
    ...everyday(join(dataDir, "dialogue")),
    ...writtenSentences(random).map(
      (sentence): Example => ({
        text: sentence.text,
        source: "written",
        split: "train",
        targets: sentence.toxic ? { TOXICITY: 1, IDENTITY_ATTACK: sentence.identityAttack ? 1 : 0 } : nothing,
      }),
    ),
  ].filter((example) => example.text.trim() !== "");
}

function fromLabelled({ text, source, split, toxic, identityAttack }: LabelledText): Example {
  return {
    text,
    source,
    split,
    targets: {
      TOXICITY: Number(toxic),
      ...(identityAttack === undefined ? {} : { IDENTITY_ATTACK: Number(identityAttack) }),
    },
  };
}

function paraphrases(path: string): Example[] {
  return loadParaDetox(path).flatMap(({ toxic, neutral }) => {
    const split = hashSplit(toxic);
    return [
      { text: toxic, source: "paradetox", split, targets: { TOXICITY: 1 } },
      ...neutral.map((text) => ({ text, source: "paradetox", split, targets: { TOXICITY: 0 } })),
    ];
  });
}

/** Sentences that RewardLM measured on are left out: replies to them are among the evaluation data. */
function promptHalves(folder: string): Example[] {
  const measured = new Set(loadPromptList(join(folder, "rewardlm_5549.jsonl")).map(normalizeTurn));
  return ["challenging.jsonl", "nontoxic.jsonl", "random.jsonl"]
    .flatMap((file) => loadRealToxicityPrompts(join(folder, file)))
    .filter(({ prompt, continuation }) => !measured.has(normalizeTurn(prompt + continuation)))
    .flatMap(({ prompt, continuation, promptScores, continuationScores }) => {
      const half = (text: string, scores: AttributeScores): Example => ({
        text,
        source: "real-toxicity-prompts",
        split: hashSplit(prompt),
        targets: Object.fromEntries(
          heads.flatMap((head) => {
            const score = scores[head.toLowerCase() as Lowercase<Head>];
            return score === undefined ? [] : [[head, score]];
          }),
        ),
      });
      return [half(prompt, promptScores), half(continuation, continuationScores)];
    });
}

/** Hateful turns (an attack on an identity) and the turns that counter them. Repeated turns count once. */
function counterNarratives(dataDir: string): Example[] {
  const seen = new Set<string>();
  return loadCounterNarratives(dataDir).flatMap(({ turns, split }) =>
    turns
      .filter(({ role, content }) => {
        const key = `${role} ${normalizeTurn(content)}`;
        return !seen.has(key) && seen.add(key);
      })
      .map(
        ({ role, content }): Example =>
          role === "user"
            ? { text: content, source: "hate", split, targets: { TOXICITY: 1, IDENTITY_ATTACK: 1 } }
            : { text: content, source: "counter-narrative", split, targets: nothing },
      ),
  );
}

function everyday(folder: string): Example[] {
  const dialogues = loadEverydayFolder(folder)
    .map((dialogue) => ({ dialogue, order: hashFraction(`${dialogue.source} ${dialogue.id}`) }))
    .sort((a, b) => a.order - b.order);
  const examples: Example[] = [];
  for (const { dialogue, order } of dialogues) {
    if (examples.length >= dialogueTurns) break;
    // `order` decides which dialogues are taken, so the split needs a hash of its own.
    const split = hashSplit(`${order}`);
    for (const { content } of dialogue.turns)
      examples.push({ text: content, source: "dialogue", split, targets: nothing });
  }
  return examples;
}
