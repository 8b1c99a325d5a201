import { join } from "node:path";
import { cutWords, joinPunctuation, withoutLinks } from "./clean-text.ts";
import { loadConanFamily } from "./conan.ts";
import { loadGab } from "./gab.ts";
import { loadIntentConan } from "./intent-conan.ts";
import { normalizeTurn, splitDialogues } from "./split.ts";
import type { Dialogue, Split, Turn } from "./types.ts";

export interface SplitDialogue extends Dialogue {
  split: Split;
}

/** One reply to learn and everything that was said before it, the last of it by the user. */
export interface Conversation {
  source: string;
  split: Split;
  messages: Turn[];
  reply: string;
}

/** All counter-narrative sets under `dataDir` (`conan/`, `intentconan/`, `gab_intervene/`), split together and cleaned. */
export function loadCounterNarratives(dataDir: string): SplitDialogue[] {
  const dialogues = [
    ...loadConanFamily(join(dataDir, "conan")),
    ...loadIntentConan(join(dataDir, "intentconan")),
    ...loadGab(join(dataDir, "gab_intervene")),
  ];
  const splits = splitDialogues(dialogues);
  const cleaned = dialogues.map((dialogue, index) => ({
    ...dialogue,
    turns: dialogue.turns.map(cleanTurn),
    split: splits[index] ?? "train",
  }));
  return withoutSharedTurns(cleaned);
}

/** Cleaning may make two texts equal that were split apart; held-out dialogues to which that happened are dropped. */
function withoutSharedTurns(dialogues: readonly SplitDialogue[]): SplitDialogue[] {
  const splitsOfTurn = new Map<string, Set<Split>>();
  for (const { split, turns } of dialogues) {
    for (const { content } of turns) {
      const key = normalizeTurn(content);
      const splits = splitsOfTurn.get(key);
      if (splits) splits.add(split);
      else splitsOfTurn.set(key, new Set([split]));
    }
  }
  splitsOfTurn.delete("");
  const shared = (turn: Turn) => (splitsOfTurn.get(normalizeTurn(turn.content))?.size ?? 0) > 1;
  return dialogues.filter(({ split, turns }) => split === "train" || !turns.some(shared));
}

function cleanTurn({ role, content }: Turn): Turn {
  return {
    role,
    content: cutWords(joinPunctuation(withoutLinks(content)), 200),
  };
}

/**
 * Every counter-narrative with all earlier turns of its dialogue before it, as fine-tuning examples. Left out are
 * counter-narratives of fewer than 4 or more than 120 words, and repetitions of the same exchange in another set.
 */
export function conversations(dialogues: readonly SplitDialogue[]): Conversation[] {
  const seen = new Set<string>();
  const result: Conversation[] = [];
  for (const { source, split, turns } of dialogues) {
    for (const [index, turn] of turns.entries()) {
      if (turn.role !== "assistant" || turns.slice(0, index + 1).some((earlier) => earlier.content === "")) continue;
      const words = turn.content.split(/\s+/).length;
      if (words < 4 || words > 120) continue;
      const key = turns
        .slice(0, index + 1)
        .map((earlier) => normalizeTurn(earlier.content))
        .join("\n");
      if (seen.has(key)) continue;
      seen.add(key);
      result.push({
        source,
        split,
        messages: turns.slice(0, index),
        reply: turn.content,
      });
    }
  }
  return result;
}
