/** How far annotators agree beyond chance. Labels are nominal: any two that differ, differ alike. */

/** One annotator's label of one item. */
export interface Rating {
  item: string;
  annotator: string;
  label: string;
}

/**
 * Cohen's kappa of two annotators over the items that both labelled: (po - pe) / (1 - pe), po the observed and pe the
 * agreement expected from each one's own label frequencies (Cohen 1960).
 * @param pairs [first's label, second's label] per item
 * @returns null without items, or when both used one and the same label throughout (pe = 1: undefined)
 */
export function cohenKappa(pairs: readonly (readonly [string, string])[]): number | null {
  if (pairs.length === 0) return null;
  const first = new Map<string, number>();
  const second = new Map<string, number>();
  let agreed = 0;
  for (const [a, b] of pairs) {
    if (a === b) agreed += 1;
    first.set(a, (first.get(a) ?? 0) + 1);
    second.set(b, (second.get(b) ?? 0) + 1);
  }
  const n = pairs.length;
  let expected = 0;
  for (const [label, count] of first) expected += (count / n) * ((second.get(label) ?? 0) / n);
  return expected === 1 ? null : (agreed / n - expected) / (1 - expected);
}

/**
 * Krippendorff's alpha for nominal data with any number of annotators and missing labels:
 * 1 - (n - 1) (n - sum_c o_cc) / (n^2 - sum_c n_c^2) over the coincidence matrix o of items with two labels or more
 * (Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, section C).
 * @returns null when no item has two labels, or when every label is the same (no variation: undefined)
 */
export function krippendorffAlpha(ratings: readonly Rating[]): number | null {
  const items = new Map<string, Map<string, number>>();
  for (const { item, label } of ratings) {
    const counts = items.get(item) ?? new Map<string, number>();
    counts.set(label, (counts.get(label) ?? 0) + 1);
    items.set(item, counts);
  }
  const totals = new Map<string, number>();
  let pairable = 0;
  let agreeing = 0;
  for (const counts of items.values()) {
    const labels = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (labels < 2) continue;
    pairable += labels;
    for (const [label, count] of counts) {
      totals.set(label, (totals.get(label) ?? 0) + count);
      agreeing += (count * (count - 1)) / (labels - 1);
    }
  }
  const squares = [...totals.values()].reduce((sum, count) => sum + count * count, 0);
  const expectedDisagreement = pairable * pairable - squares;
  if (expectedDisagreement === 0) return null;
  return 1 - ((pairable - 1) * (pairable - agreeing)) / expectedDisagreement;
}

export interface PairAgreement {
  annotators: [string, string];
  /** Items that both labelled. */
  items: number;
  kappa: number | null;
}

/** Cohen's kappa of every two annotators who share an item, most shared items first. */
export function pairwiseKappa(ratings: readonly Rating[]): PairAgreement[] {
  const labels = new Map<string, Map<string, string>>();
  for (const { item, annotator, label } of ratings) {
    const own = labels.get(annotator) ?? new Map<string, string>();
    own.set(item, label);
    labels.set(annotator, own);
  }
  const names = [...labels.keys()].sort();
  const result: PairAgreement[] = [];
  for (const [index, a] of names.entries()) {
    for (const b of names.slice(index + 1)) {
      const pairs = [...(labels.get(a) ?? [])].flatMap(([item, label]): [string, string][] => {
        const other = labels.get(b)?.get(item);
        return other === undefined ? [] : [[label, other]];
      });
      if (pairs.length > 0) result.push({ annotators: [a, b], items: pairs.length, kappa: cohenKappa(pairs) });
    }
  }
  return result.sort((x, y) => y.items - x.items);
}
