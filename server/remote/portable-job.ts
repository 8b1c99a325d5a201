/**
 * A trainer program's job, freed of the paths of the machine that wrote it: each path becomes a name that any machine
 * puts its own folder in for.
 */
import { isAbsolute } from "node:path";

/** The names that stand for folders: the base model, quantized weights, the program's own folder, what it reads. */
export const places = {
  model: "rejoinder:model",
  cache: "rejoinder:cache",
  output: "rejoinder:output",
  inputs: "rejoinder:inputs",
} as const;

/** What a path begins with, and what stands for it. */
export type Root = readonly [path: string, place: string];

function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapStrings(item, change)]));
}

/** Replaces what a string begins with; the longest of several that fit. */
function replaceRoot(text: string, roots: readonly Root[]): string {
  const fits = ([from]: Root) => text === from || text.startsWith(`${from}/`);
  const [from, to] = roots.filter(fits).sort((a, b) => b[0].length - a[0].length)[0] ?? ["", ""];
  return to + text.slice(from.length);
}

/** Names where a job has an absolute path, such as `parentAdapter.folder`. */
function findAbsolute(value: unknown, name = ""): string | null {
  if (typeof value === "string") return isAbsolute(value) ? name : null;
  if (typeof value !== "object" || value === null) return null;
  for (const [key, item] of Object.entries(value)) {
    const found = findAbsolute(item, name === "" ? key : `${name}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

/** What stands for this machine's folders takes their place. */
export function replacePaths(value: unknown, roots: readonly Root[]): unknown {
  return mapStrings(value, (text) => replaceRoot(text, roots));
}

/** As `replacePaths`. @throws when a path remains that another machine would not have */
export function toPortable(job: unknown, roots: readonly Root[]): unknown {
  const portable = replacePaths(job, roots);
  const left = findAbsolute(portable);
  if (left !== null) {
    throw new Error(
      `The job's ${left} is a path of this machine that is not among its inputs: a worker would not find it`,
    );
  }
  return portable;
}

/** The other way: what stands for a folder becomes this machine's. */
export function toLocal(portable: unknown, roots: readonly Root[]): unknown {
  const back = roots.map(([path, place]) => [place, path] as const);
  return mapStrings(portable, (text) => replaceRoot(text, back));
}
