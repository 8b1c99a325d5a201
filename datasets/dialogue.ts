import { readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJsonLines } from "./read-rows.ts";
import type { Dialogue, Turn } from "./types.ts";

const line = z.object({
  source: z.string().min(1),
  split: z.string(),
  id: z.union([z.string(), z.number()]),
  turns: z.array(z.object({ s: z.string(), t: z.string() })).min(1),
});

const labelLine = /^\s*\d{1,2}(?:\s+\d){3,}\s*$/;

/**
 * Everyday dialogues in the form `{source, split, id, turns: [{s: speaker, t: text}]}`, one a line.
 * Whoever speaks first is the user, everyone else the assistant; consecutive turns of one side become one turn and
 * empty turns are left out. So is a last turn of single digits: in the DailyDialog copy some dialogues end with the
 * labels of their acts and emotions ("1 2 1 2 0 0 0 0"). Dialogues of fewer than two turns are left out.
 */
export function loadEverydayDialogues(path: string): Dialogue[] {
  const dialogues: Dialogue[] = [];
  for (const row of readJsonLines(path, line)) {
    const turns = mergeTurns(row.turns);
    if (turns.length >= 2)
      dialogues.push({
        id: `${row.split}-${row.id}`,
        source: row.source,
        turns,
      });
  }
  return dialogues;
}

function mergeTurns(spoken: { s: string; t: string }[]): Turn[] {
  const turns: Turn[] = [];
  const said = spoken.filter((turn) => turn.t.trim() !== "");
  if (labelLine.test(said.at(-1)?.t ?? "")) said.pop();
  const first = said[0]?.s;
  for (const { s, t } of said) {
    const role = s === first ? "user" : "assistant";
    const last = turns.at(-1);
    if (last?.role === role) last.content += ` ${t}`;
    else turns.push({ role, content: t });
  }
  return turns;
}

/** All `*.jsonl` and `*.jsonl.gz` files of a folder, in the order of their names. */
export function loadEverydayFolder(folder: string): Dialogue[] {
  const files = readdirSync(folder).filter((name) => /\.jsonl(?:\.gz)?$/.test(name));
  if (files.length === 0) throw new Error(`${folder}: expected *.jsonl or *.jsonl.gz files, found none`);
  return files.sort().flatMap((name) => loadEverydayDialogues(join(folder, name)));
}
