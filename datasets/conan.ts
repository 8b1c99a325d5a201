import { join } from "node:path";
import { z } from "zod";
import { RowError, readCsv } from "./read-rows.ts";
import type { Dialogue } from "./types.ts";

const dialogueRow = z.object({
  text: z.string(),
  TARGET: z.string(),
  dialogue_id: z.string().min(1),
  turn_id: z.coerce.number().int().min(0),
  type: z.enum(["HS", "CN"]),
  source: z.string(),
});

/**
 * DIALOCONAN (Bonaldi et al. 2022): dialogues in which hate speech (HS, the user) and counter-narratives (CN, the
 * assistant) alternate. Four published dialogues miss a turn: each is cut before the first turn that breaks the
 * alternation, because what follows answers a text that is not there.
 * @throws RowError where a dialogue begins with a counter-narrative or `turn_id` does not grow from row to row.
 */
export function loadDialoConan(path: string): Dialogue[] {
  const dialogues = new Map<string, { dialogue: Dialogue; lastTurn: number; broken: boolean }>();
  for (const [index, row] of readCsv(path, dialogueRow).entries()) {
    let open = dialogues.get(row.dialogue_id);
    if (!open) {
      if (row.type === "CN") {
        throw new RowError(path, index + 1, `expected dialogue ${row.dialogue_id} to begin with HS, got CN`);
      }
      const dialogue = {
        id: row.dialogue_id,
        source: "dialoconan",
        target: row.TARGET,
        turns: [],
      };
      open = { dialogue, lastTurn: -1, broken: false };
      dialogues.set(row.dialogue_id, open);
    }
    if (row.turn_id <= open.lastTurn) {
      const order = `expected a turn_id above ${open.lastTurn} in dialogue ${row.dialogue_id}, got ${row.turn_id}`;
      throw new RowError(path, index + 1, order);
    }
    open.lastTurn = row.turn_id;
    const { turns } = open.dialogue;
    open.broken ||= row.type !== (turns.length % 2 === 0 ? "HS" : "CN");
    if (!open.broken)
      turns.push({
        role: row.type === "HS" ? "user" : "assistant",
        content: row.text,
      });
  }
  return [...dialogues.values()].map(({ dialogue }) => dialogue);
}

/** A pair of hate speech and counter-narrative as a dialogue of two turns. */
export function pair(id: string, source: string, hate: string, counter: string, target: string): Dialogue {
  return {
    id,
    source,
    target,
    turns: [
      { role: "user", content: hate },
      { role: "assistant", content: counter },
    ],
  };
}

const multitargetRow = z.object({
  INDEX: z.string().min(1),
  HATE_SPEECH: z.string(),
  COUNTER_NARRATIVE: z.string(),
  TARGET: z.string(),
});

/** Multitarget-CONAN (Fanton et al. 2021): single pairs. */
export function loadMultitargetConan(path: string): Dialogue[] {
  return readCsv(path, multitargetRow).map((row) =>
    pair(row.INDEX, "multitarget-conan", row.HATE_SPEECH, row.COUNTER_NARRATIVE, row.TARGET),
  );
}

const conanRow = z.object({
  cn_id: z.string().min(1),
  hateSpeech: z.string(),
  counterSpeech: z.string(),
  hsType: z.string(),
});

/** CONAN (Chung et al. 2019), English part: single pairs about Islamophobia, with paraphrased hate speech. */
export function loadConan(path: string): Dialogue[] {
  return readCsv(path, conanRow).map((row) => pair(row.cn_id, "conan", row.hateSpeech, row.counterSpeech, row.hsType));
}

const knowledgeRow = z.object({
  hate_speech: z.string(),
  counter_narrative: z.string(),
  target: z.string(),
});

/** Knowledge-grounded pairs (Chung et al. 2021); the knowledge sentences are left out. */
export function loadKnowledgeConan(path: string): Dialogue[] {
  return readCsv(path, knowledgeRow).map((row, index) =>
    pair(String(index), "kn-grounded", row.hate_speech, row.counter_narrative, row.target),
  );
}

/** All four sets of the CONAN family from a folder with their official file names. */
export function loadConanFamily(folder: string): Dialogue[] {
  return [
    ...loadDialoConan(join(folder, "DIALOCONAN.csv")),
    ...loadMultitargetConan(join(folder, "Multitarget-CONAN.csv")),
    ...loadConan(join(folder, "CONAN.csv")),
    ...loadKnowledgeConan(join(folder, "multitarget_KN_grounded_CN.csv")),
  ];
}
