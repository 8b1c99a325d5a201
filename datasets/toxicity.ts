import { join } from "node:path";
import { z } from "zod";
import { readCsv, readJsonArray, readTsv } from "./read-rows.ts";
import { hashSplit } from "./split.ts";
import type { LabelledText, Paraphrases, Split } from "./types.ts";

const binary = z.enum(["0", "1"]);

/** Jigsaw toxic comments (a balanced part, columns `text`, `toxic`). It has no splits: the hash of the text decides. */
export function loadJigsaw(path: string): LabelledText[] {
  return readCsv(path, z.object({ text: z.string(), toxic: binary })).map(({ text, toxic }) => ({
    text,
    toxic: toxic === "1",
    source: "jigsaw",
    split: hashSplit(text),
  }));
}

/** Davidson et al. 2017: tweets; class 0 is hate speech, 1 offensive language, 2 neither. Split by hash. */
export function loadDavidson(path: string): LabelledText[] {
  return readCsv(path, z.object({ class: z.enum(["0", "1", "2"]), tweet: z.string() })).map((row) => ({
    text: row.tweet,
    toxic: row.class !== "2",
    identityAttack: row.class === "0",
    source: "davidson",
    split: hashSplit(row.tweet),
  }));
}

const hateXplainRow = z.object({
  label: z.enum(["normal", "offensive", "hatespeech"]),
  text: z.string(),
});

/** HateXplain (Mathew et al. 2021): lower-cased posts with placeholders such as `<user>` and `<number>`. */
export function loadHateXplain(folder: string): LabelledText[] {
  return splitsOf({ train: "train", valid: "validation", test: "test" }, (name, split) =>
    readTsv(join(folder, `hatexplain_${name}.tsv`), hateXplainRow).map((row) => ({
      text: row.text,
      toxic: row.label !== "normal",
      identityAttack: row.label === "hatespeech",
      source: "hatexplain",
      split,
    })),
  );
}

/** TweetEval (Barbieri et al. 2020), the task "offensive" or "hate"; users are masked as `@user`. */
export function loadTweetEval(folder: string, task: "offensive" | "hate"): LabelledText[] {
  return splitsOf({ train: "train", val: "validation", test: "test" }, (name, split) =>
    readCsv(join(folder, `tweeteval_${task}_${name}.csv`), z.object({ text: z.string(), label: binary })).map(
      ({ text, label }) => ({
        text,
        toxic: label === "1",
        ...(task === "hate" ? { identityAttack: label === "1" } : {}),
        source: `tweeteval-${task}`,
        split,
      }),
    ),
  );
}

const hatemojiRow = z.object({ text: z.string(), label_gold: binary });

/** HatemojiBuild (Kirk et al. 2022): adversarial short texts with emoji, in minimal pairs. */
export function loadHatemoji(folder: string): LabelledText[] {
  return splitsOf({ train: "train", validation: "validation", test: "test" }, (name, split) =>
    readCsv(join(folder, `hatemoji_${name}.csv`), hatemojiRow).map((row) => ({
      text: row.text,
      toxic: row.label_gold === "1",
      identityAttack: row.label_gold === "1",
      source: "hatemoji",
      split,
    })),
  );
}

const diaSafetyRow = z.object({
  context: z.string(),
  response: z.string(),
  category: z.string(),
  label: z.enum(["Safe", "Unsafe"]),
});

/**
 * DiaSafety (Sun et al. 2022): replies that are safe or unsafe in their context. "Unsafe" is wider than toxic (wrong
 * medical advice, agreeing with a slur), so only "Offending User" and "Toxicity Agreement" count as toxic here and
 * other unsafe rows are left out.
 */
export function loadDiaSafety(folder: string): LabelledText[] {
  const toxicCategories = new Set(["Offending User", "Toxicity Agreement"]);
  return splitsOf({ train: "train", val: "validation", test: "test" }, (name, split) =>
    readJsonArray(join(folder, `diasafety_${name}.json`), diaSafetyRow)
      .filter((row) => row.label === "Safe" || toxicCategories.has(row.category))
      .map((row) => ({
        text: row.response,
        context: row.context,
        toxic: row.label === "Unsafe",
        source: "diasafety",
        split,
      })),
  );
}

const paraDetoxRow = z.object({
  toxic: z.string(),
  neutral1: z.string(),
  neutral2: z.string(),
  neutral3: z.string(),
});

/** ParaDetox (Logacheva et al. 2022): toxic sentences with one to three neutral wordings. */
export function loadParaDetox(path: string): Paraphrases[] {
  return readTsv(path, paraDetoxRow, { quoted: true }).map((row) => ({
    toxic: row.toxic,
    neutral: [row.neutral1, row.neutral2, row.neutral3].filter((text) => text.trim() !== ""),
  }));
}

function splitsOf(files: Record<string, Split>, load: (name: string, split: Split) => LabelledText[]): LabelledText[] {
  return Object.entries(files).flatMap(([name, split]) => load(name, split));
}
