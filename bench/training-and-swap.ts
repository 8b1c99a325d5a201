/** How long a PPO pass takes, and what chats notice of it and of the swap that follows. */
import { connectChat, type TimedReply } from "../test/support/chat-client.ts";
import type { RunningServer } from "../test/support/running-server.ts";
import { trainOnce } from "../test/support/training.ts";
import type { Figure } from "./report.ts";
import { gaps, median, quantile } from "./statistics.ts";

const message = "Your kind ruins every town it comes to, and everybody knows it.";
const exchanges = 64;
const swaps = 10;
/** Milliseconds. */
const betweenSwaps = 400;

export async function measureTrainingAndSwap(server: RunningServer): Promise<Figure[]> {
  const chat = await connectChat(server.url);
  const talk = async (until: Promise<unknown>, base: number): Promise<TimedReply[]> => {
    let over = false;
    void until.finally(() => {
      over = true;
    });
    const replies: TimedReply[] = [];
    for (let n = 0; !over; n++) {
      replies.push(await chat.say(message, { temperature: 1, topP: 1, maxTokens: 128, seed: base + n }));
    }
    return replies;
  };
  const p95 = (replies: readonly TimedReply[]) =>
    quantile(
      replies.flatMap(({ arrivals }) => gaps(arrivals)),
      0.95,
    );

  const logger = await connectChat(server.url);
  for (let n = 0; n < exchanges; n += 8) {
    const options = (i: number) => ({ consent: true, temperature: 1, topP: 1, maxTokens: 64, seed: n + i });
    await Promise.all(Array.from({ length: 8 }, (_, i) => logger.say(message, options(i))));
  }
  const alone = await talk(new Promise((resolve) => setTimeout(resolve, 6000)), 10_000);

  const passes: number[] = [];
  const during: TimedReply[] = [];
  const versions: number[] = [];
  for (let pass = 0; pass < 3; pass++) {
    const began = performance.now();
    const run = trainOnce(server.url, { algorithm: "ppo", settings: { seed: pass }, maxExchanges: exchanges });
    // Chat in one of the passes only: the pass is timed without company as well.
    if (pass === 1) during.push(...(await talk(run, 20_000)));
    const { result } = await run;
    if (pass !== 1) passes.push((performance.now() - began) / 1000);
    if (result !== null) versions.push(result.version);
  }

  let swapping = true;
  /** Arrivals of all streams by the clock, each with the gap before it. */
  const timed: { at: number; gap: number }[] = [];
  const streams = Promise.all(
    [1, 2, 3, 4].map(async (index) => {
      const client = await connectChat(server.url);
      const replies: TimedReply[] = [];
      for (let n = 0; swapping; n++) {
        const sent = performance.now();
        const reply = await client.say(message, { temperature: 1, topP: 1, maxTokens: 128, seed: 1000 * index + n });
        for (const [i, gap] of gaps(reply.arrivals).entries()) {
          timed.push({ at: sent + (reply.arrivals[i + 1] as number), gap });
        }
        replies.push(reply);
      }
      client.close();
      return replies;
    }),
  );
  // As long without swaps as with them, under the same load: chats pause for each other's prompts too.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const beganAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, swaps * betweenSwaps));
  const swapsBeganAt = performance.now();
  for (let swap = 0; swap < swaps; swap++) {
    const version = versions[swap % versions.length];
    const answer = await fetch(`${server.url}/api/adapters/${version}/promote`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "measuring swaps" }),
    });
    if (!answer.ok) throw new Error(`promoting ${version}: ${answer.status} ${await answer.text()}`);
    await new Promise((resolve) => setTimeout(resolve, betweenSwaps));
  }
  swapping = false;
  const swapped = (await streams).flat();
  const damaged = swapped.filter(
    ({ done, pieces }) => pieces.join("") !== done.text || !["stop", "length"].includes(done.finishReason),
  );
  const longest = (from: number, to: number) =>
    Math.max(...timed.filter(({ at, gap }) => at - gap >= from && at < to).map(({ gap }) => gap));
  const pauses = {
    swapping: longest(swapsBeganAt, Number.POSITIVE_INFINITY),
    quiet: longest(beganAt, swapsBeganAt),
    median: median(timed.map(({ gap }) => gap)),
  };
  const [quiet, busy] = [p95(alone), p95(during)];
  for (const client of [chat, logger]) client.close();

  return [
    {
      name: `PPO pass over ${exchanges} exchanges`,
      value: median(passes),
      unit: "s",
      target: { atMost: 20 },
      how: `median of ${passes.length} runs, request to the new adapter live`,
    },
    { name: "inter-token p95, no training", value: quiet, unit: "ms", target: null, how: `${alone.length} replies` },
    { name: "inter-token p95, training", value: busy, unit: "ms", target: null, how: `${during.length} replies` },
    {
      name: "inter-token p95, training / no training",
      value: busy / quiet,
      unit: "x",
      target: { atMost: 2 },
      how: "one stream",
    },
    {
      name: "replies dropped or cut by a swap",
      value: damaged.length,
      unit: "",
      target: { atMost: 0 },
      how: `${swapped.length} replies over 4 streams and ${swaps} swaps`,
    },
    {
      name: "longest pause in a reply, no swap",
      value: pauses.quiet - pauses.median,
      unit: "ms",
      target: null,
      how: `longest less median gap, 4 streams, ${(swaps * betweenSwaps) / 1000} s`,
    },
    {
      name: "longest pause in a reply, swapping",
      value: pauses.swapping - pauses.median,
      unit: "ms",
      target: null,
      how: `longest less median gap, 4 streams, ${swaps} swaps`,
    },
    {
      name: "delay that swaps add to the longest pause",
      value: Math.max(0, pauses.swapping - pauses.quiet),
      unit: "ms",
      target: { atMost: 20 },
      how: "the difference",
    },
  ];
}
