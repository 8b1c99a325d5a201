import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Command, Option } from "commander";
import { readConfig } from "../config.ts";
import { CliError, formatTable, printResult, startProgress } from "./output.ts";
import { jsonOption } from "./place.ts";

interface ScoreOptions {
  json: boolean;
  file?: string;
  stdin: boolean;
}

/** One text a line; empty lines are no texts. */
function linesOf(content: string): string[] {
  return content.split(/\r?\n/).filter((line) => line.trim() !== "");
}

async function textsOf(given: readonly string[], { file, stdin }: ScoreOptions): Promise<string[]> {
  const texts = [...given];
  if (file !== undefined) {
    const content = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new CliError(`Cannot read --file ${file}`, { cause });
    });
    texts.push(...linesOf(content));
  }
  if (stdin) texts.push(...linesOf(await readAll(process.stdin)));
  if (texts.length === 0) throw new CliError("Expected texts as arguments, by --file or by --stdin; there were none");
  return texts;
}

async function score(given: string[], options: ScoreOptions): Promise<void> {
  const texts = await textsOf(given, options);
  const { loadJudge } = await import("../chat/load-judge.ts");
  const judge = await loadJudge(readConfig(process.env).reward);
  const progress = startProgress("score", options.json);
  try {
    const scored: { text: string; scores: Record<string, number> }[] = [];
    for (const text of texts) {
      scored.push({ text, scores: await judge.scorer.attributes(text) });
      progress.update(scored.length, texts.length, "");
    }
    progress.stop();
    const names = Object.keys(scored[0]?.scores ?? {});
    const rows = scored.map(({ text, scores }) => [...names.map((name) => scores[name]?.toFixed(3) ?? "-"), text]);
    const { name, version } = judge.scorer;
    printResult(options.json, { reward: { name, version }, scored }, formatTable([...names, "text"], rows));
  } finally {
    await judge.close();
  }
}

export function createScoreCommand(): Command {
  return new Command("score")
    .description("score texts by the reward model: probabilities of each attribute, 0 to 1")
    .argument("[texts...]")
    .addOption(jsonOption())
    .addOption(new Option("--file <file>", "one text a line"))
    .addOption(new Option("--stdin", "one text a line from standard input").default(false))
    .action(score);
}
