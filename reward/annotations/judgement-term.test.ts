import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "../../engine/in-slices.ts";
import { byExchange, type Judgement, judgementValue } from "./judgement.ts";
import { judgementContext, judgementTerm, maxExchangeShare, maxRunShare } from "./judgement-term.ts";
import { rejudge } from "./rejudge.ts";
import { sample } from "./sample-judgement.ts";

const contextOf = (...given: Parameters<typeof judgementContext>) => atOnce(judgementContext(...given));

/** The term of one exchange among a history, without a bound over the run. */
function termOf(exchangeId: string, history: Judgement[]): number {
  const context = { ...contextOf(history), scales: new Map() };
  return judgementTerm(byExchange(history).get(exchangeId) ?? [], context);
}

describe("the judgement term", () => {
  it("is 0 where nobody has judged", () => {
    expect(judgementTerm([], contextOf([]))).toBe(0);
  });

  it("takes half of a newcomer's word, and the whole of what two say", () => {
    expect(termOf("e1", [sample("ann e1 good")])).toBe(0.5);
    expect(termOf("e1", [sample("ann e1 good"), sample("ben e1 good")])).toBe(1);
    expect(termOf("e1", [sample("ann e1 toxic", { severity: 5 })])).toBe(-0.5);
  });

  it("takes half of the most trusted annotator's word alone, too", () => {
    const labels = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? "good" : "toxic"));
    const shared = labels.flatMap((label, index) => [
      sample(`ann s${index} ${label}`),
      sample(`ben s${index} ${label}`),
    ]);
    // Full agreement on 40 shared exchanges: (40 * 1 + 10 * .5) / 50 = .9.
    expect(contextOf(shared).weights.get("annotator:ann")).toBeCloseTo(0.9, 12);
    expect(termOf("e1", [...shared, sample("ann e1 good")])).toBe(0.5);
  });

  it("lets a thumb count less than an annotator's judgement", () => {
    expect(termOf("e1", [sample("dora e1 thumbs_down")])).toBeCloseTo(-0.15, 12);
    // .5 * 1 - .15 * 1, as the weights sum to less than 1.
    expect(termOf("e1", [sample("dora e1 thumbs_down"), sample("ann e1 good")])).toBeCloseTo(0.35, 12);
  });

  it("does not take a chatter for the annotator of the same name", () => {
    const history = [sample("ann e1 thumbs_up"), sample("ann e1 good", { id: "second" })];
    expect(termOf("e1", history)).toBeCloseTo(0.65, 12);
  });

  it("bounds what one judge decides in a run to a third of the judged exchanges", () => {
    const names = ["e1", "e2", "e3", "e4", "e5", "e6"];
    const history = names.map((name) => sample(`ann ${name} good`));
    // Six shares of a half are 3, at most 6 / 3 = 2 may be: two thirds of a half each.
    const context = contextOf(history);
    for (const judgement of history) expect(judgementTerm([judgement], context)).toBeCloseTo(1 / 3, 12);
    // In a run of which ann judged the one of three, her share is within bounds.
    const mixed = [sample("ann e1 good"), sample("ben e2 ok"), sample("cy e3 ok")];
    expect(judgementTerm([mixed[0] as Judgement], contextOf(mixed))).toBe(0.5);
  });

  it("bounds over the exchanges of the run alone", () => {
    const history = [
      ...["e1", "e2", "e3", "e4"].map((name) => sample(`ann ${name} good`)),
      sample("ben e5 good"),
      sample("cy e6 good"),
    ];
    const context = contextOf(history, new Set(["e1", "e5", "e6"]));
    expect(judgementTerm([history[0] as Judgement], context)).toBe(0.5);
  });

  it("does not count what an operator has excluded", () => {
    expect(termOf("e1", [sample("ann e1 toxic", { review: "excluded" }), sample("ben e1 good")])).toBe(0.5);
  });
});

const labels = fc.constantFrom<Judgement["label"][]>("toxic", "off_topic", "evasive", "good", "ok");
const thumbs = fc.constantFrom<Judgement["label"][]>("thumbs_up", "thumbs_down");
const severity = fc.integer({ min: 1, max: 5 });
const judgementOf = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }), fc.oneof(labels, thumbs), severity)
  .map(([judge, exchange, label, severity]) => sample(`j${judge} e${exchange} ${label}`, { severity }));
const history = fc.uniqueArray(judgementOf, {
  selector: ({ source, judge, exchangeId }) => `${source} ${judge} ${exchangeId}`,
  minLength: 1,
  maxLength: 40,
});

const anyWeights = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 })
  .map((weights) => new Map(weights.map((weight, judge) => [`annotator:j${judge}`, weight])));

describe("for any judgements, weighed by any history,", () => {
  it("the term lies in -1..1 and no judge can move it by more than their cap", () => {
    fc.assert(
      fc.property(history, fc.oneof(labels, thumbs), anyWeights, (all, other, weights) => {
        // Whatever trust people have earned, and with no bound over a run to help.
        const context = { ...contextOf(all), weights, scales: new Map() };
        for (const group of byExchange(all).values()) {
          const term = judgementTerm(group, context);
          expect(Math.abs(term)).toBeLessThanOrEqual(1 + 1e-12);
          for (const own of group) {
            const without = group.filter((judgement) => judgement !== own);
            const turned = [...without, { ...own, label: other, source: own.source }];
            for (const changed of [without, turned]) {
              expect(Math.abs(judgementTerm(changed, context) - term)).toBeLessThanOrEqual(
                2 * maxExchangeShare + 1e-12,
              );
            }
          }
        }
      }),
    );
  });

  it("no judge has more than their part of a run's judged exchanges", () => {
    fc.assert(
      fc.property(history, (all) => {
        const context = contextOf(all);
        const groups = [...byExchange(all).values()];
        for (const { source, judge } of all) {
          // What the judge's word adds to the terms if it were 1 everywhere and everyone else's 0.
          const shares = groups.map((group) => {
            const alone = group.map((one) =>
              one.source === source && one.judge === judge
                ? { ...one, label: "good" as const }
                : { ...one, label: "ok" as const },
            );
            const silent = alone.map((one) => ({ ...one, label: "ok" as const }));
            const difference = judgementValue({ label: "good" }) - judgementValue({ label: "ok" });
            return (judgementTerm(alone, context) - judgementTerm(silent, context)) / difference;
          });
          const sum = shares.reduce((total, share) => total + share, 0);
          expect(sum).toBeLessThanOrEqual(maxRunShare * groups.length + 1e-9);
        }
      }),
    );
  });

  it("the term does not depend on the order of the judgements", () => {
    fc.assert(
      fc.property(
        history.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          const [context, again] = [contextOf(all), contextOf(shuffled)];
          for (const [id, group] of byExchange(all)) {
            const other = byExchange(shuffled).get(id) ?? [];
            expect(judgementTerm(other, again)).toBeCloseTo(judgementTerm(group, context), 10);
          }
        },
      ),
    );
  });
});

describe("rejudging", () => {
  it("replaces the annotation term alone", () => {
    const logged = { version: "v", total: 1.5, terms: { toxicity: 1, annotation: 2, empty: -1.5 } };
    // 1 - 1.5 + 4 * .5
    expect(rejudge(logged, 0.5, 4)).toEqual({
      version: "v",
      total: 1.5,
      terms: { toxicity: 1, annotation: 2, empty: -1.5 },
    });
    expect(rejudge(logged, -1, 4).total).toBeCloseTo(-4.5, 12);
  });
});
