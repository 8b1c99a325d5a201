import type { AdapterIdentity, Deployment } from "../protocol/index.ts";

/**
 * What was live before the live adapter, read off the log: each promotion goes on top of a pile, each rollback takes off
 * what lies above its target, so that rolling back twice goes two steps back and not back and forth.
 * @param deployments oldest first
 * @returns null when there is nothing below the live adapter
 */
export function previouslyLive(deployments: readonly Deployment[]): AdapterIdentity | null {
  const pile: AdapterIdentity[] = [];
  for (const { action, to } of deployments) {
    if (action === "promote") {
      pile.push(to);
    } else if (action === "rollback") {
      while (pile.length > 0 && pile.at(-1)?.version !== to.version) pile.pop();
      if (pile.length === 0) pile.push(to);
    }
  }
  return pile.at(-2) ?? null;
}
