/** Who descends from whom, by the parent that each adapter names. */

interface Descendant {
  version: number;
  parent: number | null;
}

/** From the parent back to the first adapter on the base model, nearest first. A parent that is not registered ends it. */
export function ancestorsOf<A extends Descendant>(adapters: readonly A[], version: number): A[] {
  const byVersion = new Map(adapters.map((adapter) => [adapter.version, adapter]));
  const chain: A[] = [];
  let next = byVersion.get(version)?.parent ?? null;
  // A chain that came back to itself would be a damaged table; it ends where it began.
  while (next !== null && next !== version && !chain.some((adapter) => adapter.version === next)) {
    const adapter = byVersion.get(next);
    if (adapter === undefined) break;
    chain.push(adapter);
    next = adapter.parent;
  }
  return chain;
}

/** Every adapter that has `version` among its ancestors, oldest first. */
export function descendantsOf<A extends Descendant>(adapters: readonly A[], version: number): A[] {
  return adapters
    .filter((adapter) => ancestorsOf(adapters, adapter.version).some((ancestor) => ancestor.version === version))
    .sort((a, b) => a.version - b.version);
}

/** The runs that made an adapter and those it descends from. */
export function runsBehind<A extends Descendant & { runId: string | null }>(
  adapters: readonly A[],
  version: number,
): string[] {
  const self = adapters.filter((adapter) => adapter.version === version);
  return [...self, ...ancestorsOf(adapters, version)].flatMap(({ runId }) => runId ?? []);
}
