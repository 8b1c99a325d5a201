import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { annotatorWeights } from "./annotator-weights.ts";
import { type Judgement, judgementValue } from "./judgement.ts";
import { sample } from "./sample-judgement.ts";

describe("a judgement's value", () => {
  it("scales toxic by its severity, 3 where none is given", () => {
    expect(judgementValue({ label: "good" })).toBe(1);
    expect(judgementValue({ label: "toxic", severity: 5 })).toBe(-1);
    expect(judgementValue({ label: "toxic", severity: 1 })).toBeCloseTo(-0.2, 12);
    expect(judgementValue({ label: "toxic" })).toBeCloseTo(-0.6, 12);
    expect(judgementValue({ label: "toxic", severity: 99 })).toBe(-1);
    expect(judgementValue({ label: "off_topic" })).toBe(-0.5);
  });
});

describe("an annotator's weight", () => {
  it("follows the formula on numbers worked out by hand", () => {
    const weights = annotatorWeights([
      sample("ann e1 good"),
      sample("ben e1 good"),
      sample("cy e1 off_topic"),
      sample("ann e2 off_topic"),
      sample("ben e2 off_topic"),
      sample("dan e3 good"),
    ]);
    // Shared values 1, 1, -.5, -.5, -.5: mean .1, squares .81 * 2 + .36 * 3 = 2.7, D_e = 2 * 2.7 / 4 = 1.35.
    // ann and ben: e1 (0 + 2.25) / 2, e2 0, so D = .5625 and agreement 1 - .5625 / 1.35 = 7/12.
    // cy: D = 2.25, agreement -2/3. Weights: (2 * 7/12 + 5) / 12 and (-2/3 + 5) / 11.
    expect(weights.get("ann")).toEqual({
      weight: expect.closeTo(37 / 72, 12),
      agreement: expect.closeTo(7 / 12, 12),
      shared: 2,
    });
    expect(weights.get("ben")).toEqual(weights.get("ann"));
    expect(weights.get("cy")).toEqual({
      weight: expect.closeTo(13 / 33, 12),
      agreement: expect.closeTo(-2 / 3, 12),
      shared: 1,
    });
    expect(weights.get("dan")).toEqual({ weight: 0.5, agreement: null, shared: 0 });
  });

  it("is a newcomer's while everybody always says the same, which tells nothing", () => {
    const weights = annotatorWeights([sample("ann e1 good"), sample("ben e1 good")]);
    expect(weights.get("ann")).toEqual({ weight: 0.5, agreement: null, shared: 1 });
  });

  it("goes to 1 for who agrees and to 0 for who contradicts, as evidence comes in", () => {
    const labels = (index: number) => (index % 2 === 0 ? "good" : "toxic");
    const judgements = Array.from({ length: 200 }, (_, index) => [
      sample(`ann e${index} ${labels(index)}`),
      sample(`ben e${index} ${labels(index)}`),
      sample(`cy e${index} ${labels(index)}`),
      sample(`troll e${index} ${labels(index + 1)}`),
    ]).flat();
    const weights = annotatorWeights(judgements);
    expect(weights.get("ann")?.weight).toBeGreaterThan(0.3);
    expect(weights.get("troll")?.weight).toBe(0);
    const honest = annotatorWeights(judgements.filter(({ judge }) => judge !== "troll"));
    // (200 * 1 + 10 * .5) / 210
    expect(honest.get("ann")?.weight).toBeCloseTo(205 / 210, 12);
  });

  const labels = fc.constantFrom<Judgement["label"][]>("toxic", "off_topic", "evasive", "good", "ok");
  const history = fc
    .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 6 }), labels), {
      selector: ([judge, exchange]) => `${judge} ${exchange}`,
      maxLength: 30,
    })
    .map((rows) => rows.map(([judge, exchange, label]) => sample(`j${judge} e${exchange} ${label}`)));

  it("lies in 0..1 and depends neither on names nor on order", () => {
    fc.assert(
      fc.property(
        history.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          const rename = (judge: string) => `z${9 - Number(judge.slice(1))}`;
          const weights = annotatorWeights(all);
          const renamed = annotatorWeights(
            shuffled.map((judgement) => ({ ...judgement, judge: rename(judgement.judge) })),
          );
          for (const [judge, { weight }] of weights) {
            expect(weight).toBeGreaterThanOrEqual(0);
            expect(weight).toBeLessThanOrEqual(1);
            expect(renamed.get(rename(judge))?.weight).toBeCloseTo(weight, 10);
          }
        },
      ),
    );
  });
});
