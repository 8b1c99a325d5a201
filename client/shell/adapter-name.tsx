/** An adapter by name, version and the beginning of its hash; the whole hash on hover. */
import type { AdapterIdentity } from "../../server/protocol/index.ts";

export function AdapterName({ adapter }: { adapter: AdapterIdentity }) {
  const { name, version, sha256 } = adapter;
  return (
    <span className="mono" title={sha256 ? `SHA-256 ${sha256}` : undefined}>
      {name}@{version}
      {sha256 ? ` · ${sha256.slice(0, 7)}` : null}
    </span>
  );
}
