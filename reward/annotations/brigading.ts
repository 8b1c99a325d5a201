/**
 * Judgements that look arranged rather than made. They are set aside with a reason until an operator has looked, never
 * dropped. Two patterns:
 *
 * - a burst: within an hour, unproven annotators flag one conversation or person (12 flags or more) or one adapter (20
 *   flags by 3 annotators or more), of whose judgements there, an hour before and after
 *   included, at least nine in ten are flags, and no proven annotator's
 *   judgements of the same target bear them out;
 * - copies: 3 annotators or more whose labels on 20 shared exchanges or more, given within a day of each other, are more
 *   alike than chance has it: P(X >= k) < 0.001 for k equal labels of n, X binomial with p = 0.7, about what independent
 *   annotators of such texts reach. They count as one: on each exchange the earliest judgement stays.
 *
 * Chatters' thumbs are left out: a thumb is about the chatter's own exchange and weighs little.
 */
import { byExchange, type Judgement, judgementValue } from "./judgement.ts";

export interface Suspicion {
  kind: "burst" | "copies";
  reason: string;
  judges: string[];
  /** Ids of the judgements set aside. */
  judgements: string[];
  /** Times of the first and the last of them. */
  from: string;
  to: string;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** An annotator is proven by so many judgements that are older than a day. */
const provenJudgements = 10;
const bursts = {
  conversation: { flags: 12, judges: 1 },
  owner: { flags: 12, judges: 1 },
  adapter: { flags: 20, judges: 3 },
} as const;
const leastFlagShare = 0.9;
/** Proven annotators bear flags out when they have judged so many exchanges of the target and flagged at least half. */
const supportingJudgements = 5;
const supportingShare = 0.5;
const copying = { exchanges: 20, judges: 3, equalByChance: 0.7, improbable: 0.001 };

type Timed = Judgement & { time: number; proven: boolean };

const isFlag = (judgement: Judgement) => judgementValue(judgement) < 0;

function withTimes(judgements: readonly Judgement[]): Timed[] {
  const sorted = judgements
    .map((judgement) => ({ ...judgement, time: Date.parse(judgement.at) }))
    .sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1));
  const own = new Map<string, number[]>();
  for (const { judge, time } of sorted) own.set(judge, [...(own.get(judge) ?? []), time].slice(0, provenJudgements));
  return sorted.map((judgement) => {
    const tenth = own.get(judgement.judge)?.[provenJudgements - 1];
    return { ...judgement, proven: tenth !== undefined && tenth <= judgement.time - dayMs };
  });
}

function report(kind: Suspicion["kind"], found: readonly Timed[], reason: string): Suspicion {
  const times = found.map(({ time }) => time);
  return {
    kind,
    reason,
    judges: [...new Set(found.map(({ judge }) => judge))].sort(),
    judgements: found.map(({ id }) => id),
    from: new Date(Math.min(...times)).toISOString(),
    to: new Date(Math.max(...times)).toISOString(),
  };
}

/** The flags that lie in some window of an hour with at least `least` of them. @param flags by time */
function denseFlags(flags: readonly Timed[], least: number): Timed[] {
  const dense = new Set<Timed>();
  for (let start = 0, end = 0; end < flags.length; end++) {
    const last = (flags[end] as Timed).time;
    while (last - (flags[start] as Timed).time > hourMs) start += 1;
    if (end - start + 1 >= least) for (const flag of flags.slice(start, end + 1)) dense.add(flag);
  }
  return [...dense];
}

function findBursts(judgements: readonly Timed[]): Suspicion[] {
  const found: Suspicion[] = [];
  for (const target of ["conversation", "owner", "adapter"] as const) {
    const limits = bursts[target];
    const groups = Map.groupBy(judgements, ({ about }) => about[target]);
    for (const [name, group] of groups) {
      // Not one person: everybody who gave no name, and every program.
      if (target === "owner" && (name === "anonymous" || name === "api")) continue;
      const flags = denseFlags(
        group.filter((judgement) => isFlag(judgement) && !judgement.proven),
        limits.flags,
      );
      const judges = new Set(flags.map(({ judge }) => judge));
      if (flags.length === 0 || judges.size < limits.judges) continue;
      const from = (flags[0] as Timed).time - hourMs;
      const to = (flags.at(-1) as Timed).time + hourMs;
      const theirs = group.filter(({ judge, time }) => judges.has(judge) && time >= from && time <= to);
      if (flags.length < leastFlagShare * theirs.length) continue;
      const others = group.filter(({ judge, proven }) => proven && !judges.has(judge));
      const supporting = others.filter(isFlag).length;
      if (others.length >= supportingJudgements && supporting >= supportingShare * others.length) continue;
      const which = target === "adapter" ? `adapter version ${name}` : `one ${target === "owner" ? "person" : target}`;
      found.push(
        report(
          "burst",
          flags,
          `${flags.length} flags within an hour by ${judges.size} unproven annotators against ${which}`,
        ),
      );
    }
  }
  return found;
}

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

function pairsOf(exchanges: Iterable<readonly Timed[]>): Pair[] {
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

function findCopies(judgements: readonly Timed[]): Suspicion[] {
  const exchanges = byExchange(judgements) as Map<string, Timed[]>;
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

/** @param history every judgement; those that an operator has reviewed are not looked at again */
export function findSuspicions(history: readonly Judgement[]): Suspicion[] {
  const annotators = withTimes(history.filter(({ source }) => source === "annotator"));
  // Reviewed ones still prove their annotator and bear others out.
  const suspicions = [...findBursts(annotators), ...findCopies(annotators)];
  const reviewed = new Set(history.filter(({ review }) => review !== undefined).map(({ id }) => id));
  return suspicions.flatMap((suspicion) => {
    const open = suspicion.judgements.filter((id) => !reviewed.has(id));
    return open.length === 0 ? [] : [{ ...suspicion, judgements: open }];
  });
}
