/** What the deployment log says about the present. */
import type { AdapterIdentity, Deployment, Trial } from "../protocol/index.ts";

/**
 * What was live before the live adapter, nearest first: each promotion goes on top of a pile, each rollback takes off
 * what lies above its target, so that rolling back twice goes two steps back and not back and forth.
 * @param deployments oldest first
 * @param mayServe false for what must not be gone back to
 */
export function liveBefore(
  deployments: readonly Deployment[],
  mayServe: (adapter: AdapterIdentity) => boolean = () => true,
): AdapterIdentity[] {
  const pile: AdapterIdentity[] = [];
  for (const { action, to } of deployments) {
    if (action === "promote") {
      pile.push(to);
    } else if (action === "rollback") {
      while (pile.length > 0 && pile.at(-1)?.version !== to.version) pile.pop();
      if (pile.length === 0) pile.push(to);
    }
  }
  const live = pile.pop();
  return pile.reverse().filter((adapter) => adapter.version !== live?.version && mayServe(adapter));
}

/** A time during which an adapter was live; ISO dates, `until` null for the one that is. */
export interface LivePeriod {
  adapter: AdapterIdentity;
  since: string;
  until: string | null;
  /** The deployment with which it began. */
  begunBy: Deployment;
}

/** @param deployments oldest first */
export function livePeriods(deployments: readonly Deployment[]): LivePeriod[] {
  const periods: LivePeriod[] = [];
  for (const deployment of deployments) {
    if (deployment.action !== "promote" && deployment.action !== "rollback") continue;
    const last = periods.at(-1);
    if (last !== undefined) last.until = deployment.at;
    periods.push({ adapter: deployment.to, since: deployment.at, until: null, begunBy: deployment });
  }
  return periods;
}

/** A trial with what its conversations are drawn by: the id of the deployment with which it began. */
export interface LoggedTrial extends Trial {
  salt: number;
}

/** The candidate in shadow or canary, if there is one. @param deployments oldest first */
export function currentTrial(deployments: readonly Deployment[]): LoggedTrial | null {
  let trial = null as LoggedTrial | null;
  for (const { id, at, action, to, share = 0 } of deployments) {
    const before: LoggedTrial | null = trial?.version === to.version ? trial : null;
    if (action === "shadow" || action === "canary") {
      trial = { ...to, stage: action, share, since: at, salt: before?.salt ?? id };
    } else if (before !== null) {
      trial = null;
    }
  }
  return trial;
}
