import { createHash } from "node:crypto";
import type { Dialogue, Split } from "./types.ts";

/** The form in which two turns count as the same: compatibility-folded, lower case, letters and digits only. */
export function normalizeTurn(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** A number in [0, 1) that depends on nothing but the text. */
export function hashFraction(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32LE(0) / 2 ** 32;
}

/** 90 % train, 5 % validation, 5 % test by the hash of the normalized text. */
export function hashSplit(text: string): Split {
  return splitOfFraction(hashFraction(normalizeTurn(text)), {
    validation: 0.05,
    test: 0.05,
  });
}

interface Shares {
  validation: number;
  test: number;
}

function splitOfFraction(fraction: number, shares: Shares): Split {
  if (fraction < shares.test) return "test";
  return fraction < shares.test + shares.validation ? "validation" : "train";
}

/** Groups of indices that share a key directly or through others, by union-find with path halving. */
export function connectedComponents(keysOf: readonly (readonly string[])[]): number[][] {
  const parent = keysOf.map((_, index) => index);
  const find = (start: number): number => {
    let node = start;
    for (;;) {
      const up = parent[node] ?? node;
      if (up === node) return node;
      const above = parent[up] ?? up;
      parent[node] = above;
      node = above;
    }
  };
  const ownerOfKey = new Map<string, number>();
  for (const [index, keys] of keysOf.entries()) {
    for (const key of keys) {
      const owner = ownerOfKey.get(key);
      if (owner === undefined) ownerOfKey.set(key, index);
      else parent[find(index)] = find(owner);
    }
  }
  const members = new Map<number, number[]>();
  for (const index of keysOf.keys()) {
    const root = find(index);
    const group = members.get(root);
    if (group) group.push(index);
    else members.set(root, [index]);
  }
  return [...members.values()];
}

/**
 * The split of each dialogue, such that no normalized turn, hateful or countering, is in two splits.
 *
 * Sets of counter-narratives reuse one another's texts, so all of them must be split in one call. Dialogues that share
 * a turn form a component, which goes to one split as a whole by the hash of its smallest turn. A component holding
 * more than 2 % of all dialogues goes to train; the shares of the others grow so that about 5 % of all dialogues end
 * up in validation and 5 % in test. Deterministic: neither the order of the input nor a seed matters.
 */
export function splitDialogues(
  dialogues: readonly Dialogue[],
  shares: Shares = { validation: 0.05, test: 0.05 },
): Split[] {
  const keysOf = dialogues.map((dialogue) => dialogue.turns.map((turn) => normalizeTurn(turn.content)).filter(Boolean));
  const components = connectedComponents(keysOf);
  const giant = Math.max(2, dialogues.length * 0.02);
  const spread = components.filter((component) => component.length <= giant);
  const free = spread.reduce((sum, component) => sum + component.length, 0);
  const growth = free === 0 ? 0 : Math.min(dialogues.length / free, 0.5 / (shares.validation + shares.test));
  const grown = {
    validation: shares.validation * growth,
    test: shares.test * growth,
  };

  const splits: Split[] = dialogues.map(() => "train");
  for (const component of spread) {
    const keys = component.flatMap((index) => keysOf[index] ?? []).sort();
    const split = splitOfFraction(hashFraction(keys[0] ?? ""), grown);
    for (const index of component) splits[index] = split;
  }
  return splits;
}
