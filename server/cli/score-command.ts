import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Command, Option } from "commander";
import { z } from "zod";
import type { Judgement, Scorer } from "../chat/scorer.ts";
import { readConfig } from "../config.ts";
import { CliError, formatTable, printResult, startProgress } from "./output.ts";
import { jsonOption } from "./place.ts";

interface ScoreOptions {
  json: boolean;
  file?: string;
  stdin: boolean;
  prompt?: string;
  exchanges: boolean;
}

type Messages = Parameters<Scorer["judge"]>[0]["messages"];
interface Exchange {
  messages: Messages;
  reply: string;
}

/** A line of an export has all of this too. */
const exchangeLine = z.union([
  z.object({ prompt: z.string(), reply: z.string() }),
  z.object({
    messages: z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() })).min(1),
    reply: z.string(),
  }),
]);

/** Empty lines are nothing. */
function linesOf(content: string): string[] {
  return content.split(/\r?\n/).filter((line) => line.trim() !== "");
}

async function linesGiven(given: readonly string[], { file, stdin }: ScoreOptions): Promise<string[]> {
  const lines = [...given];
  if (file !== undefined) {
    const content = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new CliError(`Cannot read --file ${file}`, { cause });
    });
    lines.push(...linesOf(content));
  }
  if (stdin) lines.push(...linesOf(await readAll(process.stdin)));
  if (lines.length === 0) throw new CliError("Expected texts as arguments, by --file or by --stdin; there were none");
  return lines;
}

function toExchange(line: string): Exchange {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new CliError(`Expected a JSON object on each line, got ${line.slice(0, 60)}`, { cause });
  }
  const parsed = exchangeLine.safeParse(value);
  if (!parsed.success) throw new CliError(`Expected {prompt, reply} or {messages, reply}, got ${line.slice(0, 60)}`);
  const exchange = parsed.data;
  return "messages" in exchange ? exchange : { messages: asMessages(exchange.prompt), reply: exchange.reply };
}

const asMessages = (prompt: string): Messages => [{ role: "user", content: prompt }];

/** One after the other, so that the bar moves. */
async function each<T, R>(items: readonly T[], json: boolean, work: (item: T) => Promise<R>): Promise<R[]> {
  const progress = startProgress("score", json);
  const results: R[] = [];
  try {
    for (const item of items) {
      results.push(await work(item));
      progress.update(results.length, items.length, "");
    }
    return results;
  } finally {
    progress.stop();
  }
}

async function scoreTexts(scorer: Scorer, texts: readonly string[], json: boolean): Promise<void> {
  const scored = await each(texts, json, async (text) => ({ text, scores: await scorer.attributes(text) }));
  const names = Object.keys(scored[0]?.scores ?? {});
  const rows = scored.map(({ text, scores }) => [...names.map((name) => scores[name]?.toFixed(3) ?? "-"), text]);
  const { name, version } = scorer;
  printResult(json, { reward: { name, version }, scored }, formatTable([...names, "text"], rows));
}

async function scoreExchanges(scorer: Scorer, exchanges: readonly Exchange[], json: boolean): Promise<void> {
  const scored = await each(exchanges, json, async (exchange): Promise<Exchange & Judgement> => {
    return { ...exchange, ...(await scorer.judge({ ...exchange, finishReason: "stop" })) };
  });
  const names = Object.keys(scored[0]?.reward.terms ?? {});
  const rows = scored.map(({ reply, reward, toxicity }) => [
    reward.total.toFixed(2),
    ...names.map((name) => reward.terms[name]?.toFixed(2) ?? "-"),
    toxicity.reply.toFixed(3),
    reply,
  ]);
  const { name, version } = scorer;
  const table = formatTable(["total", ...names, "TOXICITY", "reply"], rows);
  printResult(json, { reward: { name, version }, scored }, table);
}

async function score(given: string[], options: ScoreOptions): Promise<void> {
  const { json, prompt } = options;
  if (options.exchanges && prompt !== undefined) throw new CliError("Expected --prompt or --exchanges, got both");
  const lines = await linesGiven(given, options);
  const exchanges = options.exchanges
    ? lines.map(toExchange)
    : prompt === undefined
      ? null
      : lines.map((reply) => ({ messages: asMessages(prompt), reply }));
  const { loadJudge } = await import("../chat/load-judge.ts");
  const judge = await loadJudge(readConfig(process.env).reward);
  try {
    if (exchanges === null) await scoreTexts(judge.scorer, lines, json);
    else await scoreExchanges(judge.scorer, exchanges, json);
  } finally {
    await judge.close();
  }
}

const help = `
By itself a text gets the probability of each attribute, 0 to 1. With --prompt the texts are replies to that message, with
--exchanges each line is {"prompt": ..., "reply": ...} or {"messages": [...], "reply": ...}: replies get their reward and
each of its terms.`;

export function createScoreCommand(): Command {
  return new Command("score")
    .description("score texts, or replies to messages, by the reward that REWARD names")
    .argument("[texts...]")
    .addOption(jsonOption())
    .addOption(new Option("--file <file>", "one text a line"))
    .addOption(new Option("--stdin", "one text a line from standard input").default(false))
    .addOption(new Option("--prompt <message>", "what the texts reply to"))
    .addOption(new Option("--exchanges", "lines are JSON objects of prompt, or messages, and reply").default(false))
    .addHelpText("after", help)
    .action(score);
}
