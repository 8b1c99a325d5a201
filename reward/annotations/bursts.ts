/**
 * A burst: unproven annotators flag one conversation or person (12 flags or more) or one adapter (20 flags by 3 annotators
 * or more) within an hour; of their judgements there, an hour before and after included, at least nine in ten are flags;
 * and no proven annotator's judgements of the same target bear them out.
 */
import { hourMs, isFlag, report, type Suspicion, type TimedJudgement } from "./suspicion.ts";

const limits = {
  conversation: { flags: 12, judges: 1 },
  owner: { flags: 12, judges: 1 },
  adapter: { flags: 20, judges: 3 },
} as const;
type Target = keyof typeof limits;
const leastFlagShare = 0.9;
/** Proven annotators bear flags out when they have judged so many exchanges of the target and flagged at least half. */
const supportingJudgements = 5;
const supportingShare = 0.5;
/** No one person: everybody who gave no name, and every program. */
const sharedOwners: readonly (string | number)[] = ["anonymous", "api"];

/**
 * The flags that lie in some window of an hour with at least `least` of them, one list a burst: between two bursts more
 * than an hour passes.
 * @param flags by time
 */
function denseFlags(flags: readonly TimedJudgement[], least: number): TimedJudgement[][] {
  const bursts: TimedJudgement[][] = [];
  for (let start = 0, end = 0, next = 0; end < flags.length; end++) {
    const last = (flags[end] as TimedJudgement).time;
    while (last - (flags[start] as TimedJudgement).time > hourMs) start += 1;
    if (end - start + 1 < least) continue;
    for (next = Math.max(start, next); next <= end; next++) {
      const flag = flags[next] as TimedJudgement;
      const before = bursts.at(-1);
      if (before !== undefined && flag.time - (before.at(-1)?.time ?? 0) <= hourMs) before.push(flag);
      else bursts.push([flag]);
    }
  }
  return bursts;
}

/** Why the flags look arranged, given everything that was said about the target; null when they do not. */
function reasonAgainst(
  flags: readonly TimedJudgement[],
  about: readonly TimedJudgement[],
  target: Target,
  name: string | number,
): string | null {
  const judges = new Set(flags.map(({ judge }) => judge));
  if (judges.size < limits[target].judges) return null;
  const from = (flags[0]?.time ?? 0) - hourMs;
  const to = (flags.at(-1)?.time ?? 0) + hourMs;
  const theirs = about.filter(({ judge, time }) => judges.has(judge) && time >= from && time <= to);
  if (flags.length < leastFlagShare * theirs.length) return null;
  const others = about.filter(({ judge, proven }) => proven && !judges.has(judge));
  const supporting = others.filter(isFlag).length;
  if (others.length >= supportingJudgements && supporting >= supportingShare * others.length) return null;
  const which = target === "adapter" ? `adapter version ${name}` : `one ${target === "owner" ? "person" : target}`;
  return `a burst of ${flags.length} flags by ${judges.size} unproven annotators against ${which}`;
}

/** @param judgements annotators', by time */
export function findBursts(judgements: readonly TimedJudgement[]): Suspicion[] {
  const found: Suspicion[] = [];
  for (const target of ["conversation", "owner", "adapter"] as const) {
    for (const [name, about] of Map.groupBy(judgements, (judgement) => judgement.about[target])) {
      if (about.length < limits[target].flags || (target === "owner" && sharedOwners.includes(name))) continue;
      const unproven = about.filter((judgement) => isFlag(judgement) && !judgement.proven);
      for (const flags of denseFlags(unproven, limits[target].flags)) {
        const reason = reasonAgainst(flags, about, target, name);
        if (reason !== null) found.push(report("burst", flags, reason));
      }
    }
  }
  return found;
}
