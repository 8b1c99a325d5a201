import cliProgress from "cli-progress";
import type { FanOut } from "../ports.ts";

/** A failure that is told in one sentence, without a stack. */
export class CliError extends Error {}

/** Prints a command's result: JSON for machines, else the words. */
export function printResult(json: boolean, result: unknown, words: string): void {
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `${words}\n`);
}

/** Something a person may want to know; never mixed into the result. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Nobody is connected to a command; what an operator should know goes to the terminal. */
export const terminalFanOut: FanOut = {
  chat: () => undefined,
  ops: (_event, payload) => {
    if ("code" in payload) printNote(`${payload.code}: ${payload.message}`);
  },
};

/** Columns padded to their widest cell. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export interface Progress {
  update(done: number, total: number, note: string): void;
  stop(): void;
}

/** A bar on standard error for people at a terminal; nothing for machines. */
export function startProgress(label: string, json: boolean): Progress {
  if (json || !process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    hideCursor: true,
    format: `${label} {bar} {value}/{total} {note}`,
  });
  let started = false;
  return {
    update(done, total, note) {
      if (started) bar.setTotal(total);
      else bar.start(total, done, { note });
      started = true;
      bar.update(done, { note });
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
