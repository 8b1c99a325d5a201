import { describe, expect, it } from "vitest";
import { cohenKappa, krippendorffAlpha, pairwiseKappa, type Rating } from "./agreement.ts";

function repeat(count: number, a: string, b: string): [string, string][] {
  return Array.from({ length: count }, () => [a, b]);
}

describe("Cohen's kappa", () => {
  it("is .40 for the grant proposals of the textbook example (20 yes-yes, 5, 10, 15 no-no)", () => {
    // po = .7, pe = .5 * .6 + .5 * .4 = .5
    const pairs = [
      ...repeat(20, "yes", "yes"),
      ...repeat(5, "yes", "no"),
      ...repeat(10, "no", "yes"),
      ...repeat(15, "no", "no"),
    ];
    expect(cohenKappa(pairs)).toBeCloseTo(0.4, 12);
  });

  it("tells equal percentages apart by their chance agreement (45/15/25/15 and 25/35/5/35: .1304 and .2593)", () => {
    const table = (a: number, b: number, c: number, d: number) => [
      ...repeat(a, "yes", "yes"),
      ...repeat(b, "yes", "no"),
      ...repeat(c, "no", "yes"),
      ...repeat(d, "no", "no"),
    ];
    expect(cohenKappa(table(45, 15, 25, 15))).toBeCloseTo(0.1304, 4);
    expect(cohenKappa(table(25, 35, 5, 35))).toBeCloseTo(0.2593, 4);
  });

  it("is 1 for full agreement, -1 for full disagreement on two balanced labels", () => {
    expect(cohenKappa([...repeat(2, "toxic", "toxic"), ...repeat(2, "good", "good")])).toBe(1);
    expect(cohenKappa([...repeat(2, "toxic", "good"), ...repeat(2, "good", "toxic")])).toBe(-1);
  });

  it("is undefined without items and without variation", () => {
    expect(cohenKappa([])).toBeNull();
    expect(cohenKappa(repeat(5, "good", "good"))).toBeNull();
  });
});

/** Labels by item, one row an annotator; "." is missing. */
function ratingsOf(rows: Record<string, string>): Rating[] {
  return Object.entries(rows).flatMap(([annotator, row]) =>
    row.split(" ").flatMap((label, item) => (label === "." ? [] : { item: `item-${item}`, annotator, label })),
  );
}

describe("Krippendorff's alpha", () => {
  it("is .095 for the binary data of Krippendorff 2011, section A", () => {
    const ratings = ratingsOf({ Meg: "0 1 0 0 0 0 0 0 1 0", Owen: "1 1 1 0 0 1 0 0 0 0" });
    expect(krippendorffAlpha(ratings)).toBeCloseTo(0.095, 3);
  });

  it("is .692 for the nominal data of two annotators of section B", () => {
    const ratings = ratingsOf({ Ben: "a a b b d c c c e d d a", Gerry: "b a b b b c c c e d d d" });
    expect(krippendorffAlpha(ratings)).toBeCloseTo(0.692, 3);
  });

  it("is .743 for the four annotators with missing labels of section C", () => {
    const ratings = ratingsOf({
      A: "1 2 3 3 2 1 4 1 2 . . .",
      B: "1 2 3 3 2 2 4 1 2 5 . 3",
      C: ". 3 3 3 2 3 4 2 2 5 1 .",
      D: "1 2 3 3 2 4 4 1 2 5 1 .",
    });
    expect(krippendorffAlpha(ratings)).toBeCloseTo(0.743, 3);
  });

  it("is undefined when nothing can be compared", () => {
    expect(krippendorffAlpha([])).toBeNull();
    expect(krippendorffAlpha(ratingsOf({ A: "1 .", B: ". 2" }))).toBeNull();
    expect(krippendorffAlpha(ratingsOf({ A: "1 1", B: "1 1" }))).toBeNull();
  });
});

describe("kappa of every two annotators", () => {
  it("counts only the items that both labelled", () => {
    const agreement = pairwiseKappa(ratingsOf({ ann: "good toxic good .", ben: "good toxic ok ok", cy: ". . . ok" }));
    // ann-ben: po 2/3, pe = (2/3)(1/3) + (1/3)(1/3) = 1/3, so kappa 1/2; ben-cy share one item with one label.
    expect(agreement).toEqual([
      { annotators: ["ann", "ben"], items: 3, kappa: expect.closeTo(0.5, 12) },
      { annotators: ["ben", "cy"], items: 1, kappa: null },
    ]);
  });
});
