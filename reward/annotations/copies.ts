/**
 * Copies: 3 annotators or more whose labels on 20 shared exchanges or more, given within a day of each other, are more alike
 * than chance has it: P(X >= k) < 0.001 for k equal labels of n, X binomial with p = 0.7, about what independent annotators
 * of such texts reach. They count as one: on each exchange the earliest judgement stays.
 */
import { byExchange } from "./judgement.ts";
import { dayMs, report, type Suspicion, type TimedJudgement } from "./suspicion.ts";

const copying = { exchanges: 20, judges: 3, equalByChance: 0.7, improbable: 0.001 };

/** P(X >= k) of n tries with probability p each. */
export function binomialTail(k: number, n: number, p: number): number {
  let sum = 0;
  let logChoose = 0;
  for (let i = 0; i <= n; i++) {
    if (i > 0) logChoose += Math.log((n - i + 1) / i);
    if (i >= k) sum += Math.exp(logChoose + i * Math.log(p) + (n - i) * Math.log(1 - p));
  }
  return Math.min(1, sum);
}

interface Pair {
  judges: [string, string];
  shared: number;
  equal: number;
}

function pairsOf(exchanges: Iterable<readonly TimedJudgement[]>): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const group of exchanges) {
    const sorted = group.toSorted((a, b) => (a.judge < b.judge ? -1 : 1));
    for (const [index, a] of sorted.entries()) {
      for (const b of sorted.slice(index + 1)) {
        if (Math.abs(a.time - b.time) > dayMs) continue;
        const key = JSON.stringify([a.judge, b.judge]);
        const pair = pairs.get(key) ?? { judges: [a.judge, b.judge], shared: 0, equal: 0 };
        pair.shared += 1;
        if (a.label === b.label && a.severity === b.severity) pair.equal += 1;
        pairs.set(key, pair);
      }
    }
  }
  return [...pairs.values()];
}

/** Groups of judges that hang together by pairs. */
function connected(pairs: readonly Pair[]): Set<string>[] {
  const groups: Set<string>[] = [];
  for (const { judges } of pairs) {
    const touching = groups.filter((group) => judges.some((judge) => group.has(judge)));
    const merged = new Set([...judges, ...touching.flatMap((group) => [...group])]);
    for (const group of touching) groups.splice(groups.indexOf(group), 1);
    groups.push(merged);
  }
  return groups;
}

/** @param judgements annotators', by time */
export function findCopies(judgements: readonly TimedJudgement[]): Suspicion[] {
  const exchanges = byExchange(judgements) as Map<string, TimedJudgement[]>;
  const alike = pairsOf(exchanges.values()).filter(
    ({ shared, equal }) =>
      shared >= copying.exchanges && binomialTail(equal, shared, copying.equalByChance) < copying.improbable,
  );
  return connected(alike)
    .filter((group) => group.size >= copying.judges)
    .map((group) => {
      // In order of time, so that the first of each exchange is the earliest.
      const repeated = [...exchanges.values()].flatMap((all) => all.filter(({ judge }) => group.has(judge)).slice(1));
      return report("copies", repeated, `${group.size} annotators give the same labels as if they were one`);
    });
}
