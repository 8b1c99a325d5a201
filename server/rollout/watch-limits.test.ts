import { expect, it } from "vitest";
import { randomStream } from "../../engine/generation/random.ts";
import type { LoggedReply } from "../store/rollout-queries.ts";
import { tallyFlags } from "./flagged-replies.ts";
import { binaryTally } from "./unit-tally.ts";
import { createLimits, findBreach, measuresOf, type WatchLimits } from "./watch-limits.ts";
import { createWatchPeriod, type WatchPeriod } from "./watch-period.ts";

const settings = {
  enabled: true,
  minReplies: 20,
  limits: { toxicityRate: 0.25, meanToxicity: 0.25, flagRate: 0.1, errorRate: 0.1 },
  maxIncrease: 0.1,
  revokesOnProbe: true,
};
const alone = createLimits(settings, "", {});

let replies = 0;
function reply(toxicity: number | null): LoggedReply {
  const at = new Date(replies++).toISOString();
  const judgement = toxicity === null ? null : { toxicity, reward: 0, rewardVersion: "1" };
  return { exchangeId: `e${replies}`, conversationId: "c", version: 1, at, failed: toxicity === null, judgement };
}

function look(period: WatchPeriod, limits: WatchLimits): string | null {
  const chapter = period.chapters.at(-1);
  return chapter === undefined ? null : findBreach(measuresOf(chapter), period.chapters.length, limits);
}

it("raises hardly an alarm for adapters that are just within their limits, looked at after every reply", () => {
  const random = randomStream(5);
  const limits: WatchLimits = { ...alone, relative: { ...alone.relative, errorRate: { limit: 0.1, before: 0.02 } } };
  let alarms = 0;
  for (let run = 0; run < 40; run++) {
    const period = createWatchPeriod();
    for (let n = 0; n < 1200; n++) {
      // A tenth fails; of the rest a quarter is toxic, with a mean toxicity of 0.25.
      period.add(reply(random() < 0.1 ? null : random() < 0.25 ? 0.7 : 0.1));
      if (look(period, limits) === null) continue;
      alarms += 1;
      break;
    }
  }
  // One in a hundred is allowed: of 40, three or more come about once in 130 trials.
  expect(alarms).toBeLessThanOrEqual(2);
});

it("finds an adapter that turns bad after 50,000 good replies within 60 more", () => {
  const period = createWatchPeriod(Array.from({ length: 50_000 }, () => reply(0.02)));
  let said = 0;
  while (look(period, alone) === null && said < 1000) {
    period.add(reply(said % 3 === 0 ? 0.1 : 0.95));
    said += 1;
  }
  expect(said).toBeLessThanOrEqual(60);
  expect(look(period, alone)).toMatch(
    /^the (share of toxic replies|mean toxicity) is 0\.\d\d over \d+ replies, at least 0\.\d\d beyond doubt; the limit is 0\.25$/,
  );
});

it("compares with the adapter before, as far as it is known", () => {
  const before = { toxicityRate: binaryTally(1000, 10) };
  const beside = createLimits(settings, "rejoinder@1", before);
  const measured = { toxicityRate: binaryTally(200, 60) };
  // Three in ten: not shown to be above a quarter, but far above one in a hundred and what may be added.
  expect(findBreach(measured, 1, alone)).toBeNull();
  expect(findBreach(measured, 1, beside)).toMatch(/; rejoinder@1 had 0\.01, which allows 0\.1\d$/);
  expect(createLimits(settings, "", { toxicityRate: binaryTally(19, 0) }).relative.toxicityRate).toBeNull();
});

it("lets no single person's flags count, and of each only some", () => {
  const period = createWatchPeriod(Array.from({ length: 100 }, () => reply(0.02)));
  const logged = period.chapters[0];
  const at = logged?.firstAt ?? "";
  const flags = (person: string, first: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      id: `${person}${index}`,
      exchangeId: `x${first + index}`,
      at,
      person,
    }));
  const sumOf = (...all: ReturnType<typeof flags>[]) => tallyFlags(period.chapters, all.flat())[0]?.sum;
  expect(sumOf(flags("ada", 0, 50))).toBe(0);
  expect(sumOf(flags("ada", 0, 50), flags("ben", 50, 50))).toBe(10);
  expect(sumOf(flags("ada", 0, 3), flags("ben", 1, 3))).toBe(4);
  expect(sumOf()).toBe(0);
});

it("puts a late flag into the chapter of its reply", () => {
  const all = Array.from({ length: 1500 }, () => reply(0.02));
  const period = createWatchPeriod(all);
  const flag = (index: number, person: string) => ({
    id: `${person}${index}`,
    exchangeId: `e${index}`,
    at: all[index]?.at ?? "",
    person,
  });
  const tallies = tallyFlags(period.chapters, [flag(3, "ada"), flag(4, "ben"), flag(1200, "ada"), flag(1201, "cem")]);
  expect(tallies.map(({ n, sum }) => [n, sum])).toEqual([
    [1000, 2],
    [500, 2],
  ]);
});
