/** A model's licence, as its README says it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The `license` entry of the README's front matter, with its name where it is none of the usual; null where not said. */
export function readLicence(folder: string): string | null {
  const path = ["README.md", "MODEL_CARD.md"].map((name) => join(folder, name)).find((card) => existsSync(card));
  if (path === undefined) return null;
  const front = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---/.exec(readFileSync(path, "utf8"))?.[1] ?? "";
  const entry = (key: string) => {
    const value = new RegExp(`^${key}:[ \\t]*(.*)$`, "m").exec(front)?.[1]?.trim();
    // A list stands on the lines below, one licence each.
    const list = value === "" ? [...(listBelow(front, key) ?? [])].join(", ") : value;
    return list?.replace(/^(["'])(.*)\1$/, "$2") || null;
  };
  const licence = entry("license");
  return licence === "other" ? (entry("license_name") ?? licence) : licence;
}

function listBelow(front: string, key: string): string[] | undefined {
  const block = new RegExp(`^${key}:[ \\t]*\\r?\\n((?:[ \\t]*- .*(?:\\r?\\n|$))+)`, "m").exec(front)?.[1];
  return block
    ?.trimEnd()
    .split(/\r?\n/)
    .map((line) => line.replace(/^[ \t]*- /, "").trim());
}
