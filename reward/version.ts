import { createHash } from "node:crypto";

/** JSON with the keys of every object in order, so that equal values have equal texts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, own]) => own !== undefined);
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, own]) => `${JSON.stringify(key)}:${canonical(own)}`).join(",")}}`;
}

/** First 12 hexadecimal digits of the sha256 over a value; the order of its keys does not matter. */
export const versionOf = (identity: object): string =>
  createHash("sha256").update(canonical(identity)).digest("hex").slice(0, 12);
