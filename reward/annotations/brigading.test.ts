import { describe, expect, it } from "vitest";
import { atOnce } from "../../engine/in-slices.ts";
import { findSuspicions } from "./brigading.ts";
import { binomialTail } from "./copies.ts";
import type { Judgement } from "./judgement.ts";
import { judgementContext, judgementTerm } from "./judgement-term.ts";
import { sample } from "./sample-judgement.ts";

const suspicionsIn = (history: Judgement[]) => atOnce(findSuspicions(history));
const contextOf = (history: Judgement[]) => atOnce(judgementContext(history));

const start = Date.parse("2026-03-10T12:00:00.000Z");
const at = (minutes: number) => ({ at: new Date(start + minutes * 60_000).toISOString() });

/** Judgements of a person who has been at it for a week, of exchanges and adapters of their own. */
function proven(judge: string): Judgement[] {
  const about = { adapter: 99, owner: "someone", conversation: "elsewhere" };
  return Array.from({ length: 12 }, (_, index) => {
    const label = index % 3 === 0 ? "toxic" : "good";
    return sample(`${judge} old-${judge}-${index} ${label}`, { ...at(-7 * 24 * 60 + index), about });
  });
}

/** `count` flags by a judge, one a minute, against one target. */
function flags(judge: string, count: number, about: Partial<Judgement["about"]>, from = 0): Judgement[] {
  return Array.from({ length: count }, (_, index) => {
    const exchange = `${judge}-${from}-${index}`;
    const whole = { adapter: 1, owner: "anonymous", conversation: exchange, ...about };
    return sample(`${judge} ${exchange} toxic`, { ...at(from + index), about: whole });
  });
}

describe("a burst of flags", () => {
  it("by a newcomer against one person is set aside with its reason, and not below twelve", () => {
    const [found, ...others] = suspicionsIn(flags("mallory", 12, { owner: "dora" }));
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      kind: "burst",
      reason: "a burst of 12 flags by 1 unproven annotators against one person",
      judges: ["mallory"],
      from: at(0).at,
      to: at(11).at,
    });
    expect(found?.judgements).toHaveLength(12);
    expect(suspicionsIn(flags("mallory", 11, { owner: "dora" }))).toEqual([]);
  });

  it("is none when it takes longer than an hour, or comes from a proven annotator", () => {
    const slow = flags("mallory", 12, { owner: "dora" }).map((flag, index) => ({ ...flag, ...at(index * 10) }));
    expect(suspicionsIn(slow)).toEqual([]);
    expect(suspicionsIn([...proven("ann"), ...flags("ann", 30, { owner: "dora" })])).toEqual([]);
  });

  it("is none when praise stands among it, as in honest work", () => {
    const praise = flags("ben", 3, { conversation: "c" }, 20).map((flag): Judgement => ({ ...flag, label: "good" }));
    expect(suspicionsIn([...flags("ben", 13, { conversation: "c" }), ...praise])).toEqual([]);
  });

  it("does not hide behind another one weeks before, nor behind honest work between", () => {
    const first = flags("mallory", 12, { owner: "dora" });
    const later = flags("trudy", 12, { owner: "dora" }, 20 * 24 * 60);
    const between = flags("mallory", 30, { owner: "dora" }, 600).map((flag): Judgement => ({ ...flag, label: "good" }));
    expect(suspicionsIn([...first, ...later, ...between])).toMatchObject([
      { judges: ["mallory"], judgements: expect.objectContaining({ length: 12 }) },
      { judges: ["trudy"], from: at(20 * 24 * 60).at },
    ]);
  });

  it("against an adapter takes three annotators and twenty flags", () => {
    const two = [...flags("m1", 15, {}), ...flags("m2", 15, {})];
    expect(suspicionsIn(two)).toEqual([]);
    const three = ["m1", "m2", "m3"].flatMap((judge) => flags(judge, 7, {}));
    expect(suspicionsIn(three)).toMatchObject([
      { kind: "burst", judges: ["m1", "m2", "m3"], reason: expect.stringContaining("adapter version 1") },
    ]);
  });

  it("counts when proven annotators bear it out", () => {
    const burst = ["m1", "m2", "m3"].flatMap((judge) => flags(judge, 7, {}));
    const agreeing = flags("ann", 5, {}, 300);
    expect(suspicionsIn([...burst, ...proven("ann"), ...agreeing])).toEqual([]);
    const denying = agreeing.map((flag): Judgement => ({ ...flag, label: "good" }));
    expect(suspicionsIn([...burst, ...proven("ann"), ...denying])).toHaveLength(1);
  });

  it("leaves the term as it was without it, until an operator accepts it", () => {
    const burst = flags("mallory", 12, { owner: "dora" });
    const [target] = burst as [Judgement];
    expect(judgementTerm([target], contextOf(burst))).toBe(0);
    const accepted = burst.map((flag): Judgement => ({ ...flag, review: "accepted" }));
    expect(suspicionsIn(accepted)).toEqual([]);
    expect(judgementTerm([target], contextOf(accepted))).toBeLessThan(0);
  });
});

describe("copies", () => {
  const label = (index: number) => ["good", "toxic", "ok", "evasive"][index % 4];
  const copying = (judge: string, count: number, minutes: number) =>
    Array.from({ length: count }, (_, index) => sample(`${judge} e${index} ${label(index)}`, at(minutes + index)));

  it("count as one: the earliest of each exchange stays", () => {
    const history = [...copying("m1", 20, 0), ...copying("m2", 20, 60), ...copying("m3", 20, 120)];
    const [found, ...others] = suspicionsIn(history);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ kind: "copies", judges: ["m2", "m3"] });
    expect(found?.judgements).toHaveLength(40);
    // One newcomer's word, not three: .5, within the third of the run's exchanges .5 * 20 = 10 > 20 / 3.
    const context = contextOf(history);
    const first = history.filter(({ exchangeId }) => exchangeId === "e0");
    expect(judgementTerm(first, context)).toBeCloseTo(1 / 3, 12);
  });

  it("are none for two annotators, for few exchanges, or days apart", () => {
    expect(suspicionsIn([...copying("m1", 40, 0), ...copying("m2", 40, 60)])).toEqual([]);
    expect(suspicionsIn(["m1", "m2", "m3"].flatMap((judge) => copying(judge, 19, 0)))).toEqual([]);
    const apart = ["m1", "m2", "m3"].flatMap((judge, index) => copying(judge, 20, index * 25 * 60));
    expect(suspicionsIn(apart)).toEqual([]);
  });

  it("are none for annotators who agree four times out of five", () => {
    const honest = ["a", "b", "c"].flatMap((judge, who) =>
      copying(judge, 40, who).map((judgement, index): Judgement => {
        return (index + who) % 10 === 0 ? { ...judgement, label: "off_topic" } : judgement;
      }),
    );
    expect(suspicionsIn(honest)).toEqual([]);
  });
});

it("the binomial tail agrees with arithmetic by hand", () => {
  // Three tosses: P(X >= 2) = 3/8 + 1/8; .7^20 = 0.000798.
  expect(binomialTail(2, 3, 0.5)).toBeCloseTo(0.5, 12);
  expect(binomialTail(20, 20, 0.7)).toBeCloseTo(0.7 ** 20, 15);
  expect(binomialTail(0, 5, 0.3)).toBeCloseTo(1, 12);
});
