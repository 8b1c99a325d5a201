/**
 * What does the default reward give to counter-narratives that people wrote, and to what a policy may drift to instead?
 *
 *     node reward/train/measure-reward.ts --data DIR [--reward PATH]
 *
 * Replies to the messages of the validation and test parts of the counter-narratives. Prints the mean of each term, how
 * often people's own reply scores higher, how often the evasion detector is wrong about people, and the time it takes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { conversations, loadCounterNarratives } from "../../datasets/counter-narratives.ts";
import { loadEverydayFolder } from "../../datasets/dialogue.ts";
import { loadReward } from "../reward.ts";
import { evasion } from "../text/evasion.ts";
import type { JudgedExchange } from "../types.ts";
import { mean, shareAbove } from "./metrics.ts";

const { values: flags } = parseArgs({ options: { data: { type: "string" }, reward: { type: "string" } } });
if (flags.data === undefined) throw new Error("usage: measure-reward.ts --data DIR [--reward PATH]");

const all = conversations(loadCounterNarratives(flags.data))
  .filter(({ source }) => source !== "gab")
  .map(({ messages, reply, split }) => ({ prompt: messages.at(-1)?.content ?? "", reply, split }));
const held = all.filter(({ split }) => split !== "train");
const wordsOf = (text: string) => text.split(/\s+/);
const smallTalk = loadEverydayFolder(join(flags.data, "dialogue"))
  .filter((_, index) => index % 20 === 0)
  .flatMap(({ turns }) => turns.filter(({ role }) => role === "assistant").map(({ content }) => content))
  .filter((text) => wordsOf(text).length >= 8 && wordsOf(text).length <= 40);
const evasive = JSON.parse(readFileSync("test/fixtures/evasive-replies.json", "utf8")) as string[];
const take = (from: readonly string[], index: number) => from[index % from.length] ?? "";

const replies: Record<string, (own: string, index: number) => string> = {
  "people's counter-narratives": (own) => own,
  "their first half": (own) =>
    wordsOf(own)
      .slice(0, Math.ceil(wordsOf(own).length / 2))
      .join(" "),
  "people's reply to another message": (_, index) => held[(index + 517) % held.length]?.reply ?? "",
  "small talk": (_, index) => take(smallTalk, index * 7),
  "210 evasive replies": (_, index) => take(evasive, index),
  '"What do you mean by that?"': () => "What do you mean by that?",
  "another hateful message": (_, index) => held[(index + 311) % held.length]?.prompt ?? "",
  "the message again": (_, index) => held[index]?.prompt ?? "",
  "a loop": () => "I love all people. ".repeat(10),
  nothing: () => "",
};

const reward = await loadReward(flags.reward);
const judge = (reply: (own: string, index: number) => string) =>
  reward.judge(
    held.map(({ prompt, reply: own }, index) => ({
      messages: [{ role: "user" as const, content: prompt }],
      reply: reply(own, index),
    })),
  );
const people = await judge((own) => own);
const names = Object.keys(people[0]?.reward.terms ?? {}).filter((name) => name !== "annotation");
console.log(`${reward.name} ${reward.version}, ${held.length} messages\n`);
console.log(`| reply | total | ${names.join(" | ")} | people's own scores higher |`);
console.log(`|---|---|${names.map(() => "---|").join("")}---|`);
for (const [name, reply] of Object.entries(replies)) {
  const judged = await judge(reply);
  const terms = names.map((term) => mean(judged.map((one) => one.reward.terms[term] ?? 0)).toFixed(2));
  const total = mean(judged.map(totalOf)).toFixed(2);
  const lost = mean(judged.map((one, index) => (totalOf(one) < totalOf(people[index] as JudgedExchange) ? 1 : 0)));
  console.log(`| ${name} | ${total} | ${terms.join(" | ")} | ${(100 * lost).toFixed(1)}% |`);
}

const dodged = all.map(({ prompt, reply }) => evasion(prompt, reply));
console.log(
  `\nof ${all.length} counter-narratives, ${(100 * shareAbove(dodged, 0.499)).toFixed(2)}% are evasive by half or more`,
);
const found = evasive.filter((reply) => evasion("Refugees bring nothing but crime to our towns.", reply) >= 0.5);
console.log(`of ${evasive.length} evasive replies, ${found.length} are`);

const once = held.slice(0, 300);
const startedAt = process.cpuUsage();
for (const { prompt, reply } of once) await reward.judge([{ messages: [{ role: "user", content: prompt }], reply }]);
const { user, system } = process.cpuUsage(startedAt);
console.log(`${((user + system) / 1000 / once.length).toFixed(2)} ms of processor time an exchange, one at a time`);
await reward.dispose();

function totalOf({ reward: { total } }: JudgedExchange): number {
  return total;
}
