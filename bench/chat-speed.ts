/** How fast the embedded model answers, seen from a socket.io client. */
import { connectChat } from "../test/support/chat-client.ts";
import type { RunningServer } from "../test/support/running-server.ts";
import type { Figure } from "./report.ts";
import { median } from "./statistics.ts";

/** Texts of equal length that differ from their first word on, so that no prompt is told by an earlier one. */
function message(seed: number): string {
  const pick = (words: readonly string[], turn: number) => words[Math.floor(seed / turn) % words.length] as string;
  const who = ["People", "Neighbours", "Foreigners", "Strangers", "Newcomers", "Families", "Students", "Workers"];
  const verb = ["live", "work", "vote", "study", "settle", "shop", "play", "sing"];
  const place = ["country", "town", "street", "village", "region", "city", "school", "park"];
  return (
    `${pick(who, 1)} like you should not be allowed to ${pick(verb, 8)} in this ${pick(place, 64)}, ` +
    "you only take our jobs and our homes."
  );
}
const sampling = { temperature: 1, topP: 1, maxTokens: 160 };
const streams = 8;
const messagesPerStream = 12;

export async function measureChatSpeed(server: RunningServer): Promise<Figure[]> {
  const chat = await connectChat(server.url);
  for (let seed = 0; seed < 5; seed++) await chat.say(message(seed), { ...sampling, seed });

  const firstTokens: number[] = [];
  const rates: number[] = [];
  for (let seed = 100; seed < 140; seed++) {
    const { done, arrivals } = await chat.say(message(seed), { ...sampling, seed });
    const [first, last] = [arrivals[0], arrivals.at(-1)];
    if (first === undefined || last === undefined) continue;
    firstTokens.push(first);
    // The rate of a very short reply says little.
    if (done.tokens >= 16) rates.push((1000 * (done.tokens - 1)) / (last - first));
  }

  const clients = await Promise.all(Array.from({ length: streams }, () => connectChat(server.url)));
  const began = performance.now();
  const perClient = await Promise.all(
    clients.map(async (client, index) => {
      let tokens = 0;
      for (let n = 0; n < messagesPerStream; n++) {
        const seed = 200 + messagesPerStream * index + n;
        tokens += (await client.say(message(seed), { ...sampling, seed })).done.tokens;
      }
      return tokens;
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const total = perClient.reduce((sum, tokens) => sum + tokens, 0);
  const memory = server.residentMemory();
  for (const client of [chat, ...clients]) client.close();

  return [
    {
      name: "ready after start",
      value: server.readyAfter / 1000,
      unit: "s",
      target: { atMost: 5 },
      how: "process start to the line that says it listens",
    },
    {
      name: "first token",
      value: median(firstTokens),
      unit: "ms",
      target: { atMost: 60 },
      how: `median of ${firstTokens.length} messages, send to first text at the client`,
    },
    {
      name: "one stream",
      value: median(rates),
      unit: "tokens/s",
      target: { atLeast: 500 },
      how: `median of ${rates.length} replies of 16 tokens or more, first to last text at the client`,
    },
    {
      name: `${streams} streams`,
      value: total / seconds,
      unit: "tokens/s",
      target: { atLeast: 2000 },
      how: `${total} tokens of ${streams * messagesPerStream} replies, whole time, prompts and scoring included`,
    },
    {
      name: "server resident memory",
      value: memory / 1e6,
      unit: "MB",
      target: { atMost: 500 },
      how: "after the above",
    },
  ];
}
