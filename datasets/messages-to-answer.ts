import { join } from "node:path";
import { cleanTweet, cleanWikiComment, joinPunctuation } from "./clean-text.ts";
import { conversations, loadCounterNarratives } from "./counter-narratives.ts";
import {
  loadDavidson,
  loadDiaSafety,
  loadHatemoji,
  loadHateXplain,
  loadJigsaw,
  loadParaDetox,
  loadTweetEval,
} from "./toxicity.ts";

export interface MessageToAnswer {
  text: string;
  /** Whether something was said before it. */
  isFollowUp: boolean;
}

/**
 * What somebody might write to a chat model, cleaned: the hateful turns of all counter-narrative sets, the toxic texts of the
 * toxicity sets, and what DiaSafety's replies answer. Of the training parts only, except for ParaDetox, which has no parts.
 * Texts may occur more than once.
 * @param dataDir as in README.md
 */
export function* messagesToAnswer(dataDir: string): Generator<MessageToAnswer> {
  for (const { split, messages } of conversations(loadCounterNarratives(dataDir))) {
    const last = messages.at(-1);
    if (split === "train" && last !== undefined) yield { text: last.content, isFollowUp: messages.length > 1 };
  }
  for (const text of singleTexts(join(dataDir, "toxicity"))) yield { text, isFollowUp: false };
}

function* singleTexts(folder: string): Generator<string> {
  for (const { split, toxic, text } of loadHateXplain(folder)) {
    if (split === "train" && toxic) yield text.replaceAll("<user>", "").replaceAll("<number>", "10").trim();
  }
  const tweets = [...loadDavidson(join(folder, "davidson.csv")), ...loadTweetEval(folder, "hate")];
  for (const { split, toxic, text } of tweets) if (split === "train" && toxic) yield cleanTweet(text);
  for (const { split, toxic, text } of loadHatemoji(folder)) if (split === "train" && toxic) yield text;
  for (const { toxic } of loadParaDetox(join(folder, "paradetox.tsv"))) yield joinPunctuation(toxic);
  for (const { split, toxic, text } of loadJigsaw(join(folder, "jigsaw.csv"))) {
    if (split === "train" && toxic) yield cleanWikiComment(text);
  }
  for (const { split, context } of loadDiaSafety(folder)) {
    if (split === "train" && context !== undefined) yield cleanTweet(context);
  }
}
