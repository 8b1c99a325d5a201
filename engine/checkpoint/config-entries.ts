/** Entries of config.json, read one at a time and refused by file, name and value. */
import { CheckpointError } from "../types.ts";

/** Far beyond any model, so that a damaged number is named here instead of exhausting memory later. */
const largestSize = 2 ** 22;
const limits: Readonly<Record<string, number>> = { num_hidden_layers: 1024, n_layer: 1024 };

/** JSON's null counts as not there, as in transformers, except for `get`. */
export interface ConfigEntries {
  /** The value as it stands; undefined where the entry is not there. */
  get(key: string): unknown;
  /** A whole number from 1 on. */
  size(key: string, fallback?: number): number;
  /** A positive number. */
  real(key: string, fallback?: number): number;
  flag(key: string, fallback: boolean): boolean;
  /** One of the names. */
  choice<T extends string>(key: string, names: readonly T[], fallback: T): T;
  /** A list with an element for each of `count`, or undefined. */
  list<T>(key: string, count: number, what: string, isElement: (value: unknown) => value is T): T[] | undefined;
  /** The entries of an object within. */
  section(key: string): ConfigEntries | undefined;
  /** Refuses every value but one. */
  must(key: string, wanted: string | number | boolean | null): void;
  /** @throws CheckpointError saying that this entry's value is not supported, and why if that is not plain */
  refuse(key: string, why?: string): never;
  /** @throws CheckpointError about entries that do not fit together */
  conflict(what: string): never;
}

/** @param prefix of the names in messages, for a section within */
export function configEntries(path: string, config: Readonly<Record<string, unknown>>, prefix = ""): ConfigEntries {
  // Not what an object inherits: an entry may be asked for by any name.
  const get = (key: string): unknown => (Object.hasOwn(config, key) ? config[key] : undefined);
  const wrong = (key: string, wanted: string, value: unknown): never => {
    throw new CheckpointError(`${path}: ${prefix}${key} must be ${wanted}, not ${JSON.stringify(value)}`);
  };
  const refuse = (key: string, why?: string): never => {
    const reason = why === undefined ? "" : `: ${why}`;
    throw new CheckpointError(`${path}: ${prefix}${key} = ${JSON.stringify(get(key))} is not supported${reason}`);
  };
  return {
    get,
    refuse,
    size(key, fallback) {
      const value = get(key) ?? fallback;
      const most = limits[key] ?? largestSize;
      if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
        return wrong(key, `a whole number from 1 to ${most}`, value);
      }
      return value;
    },
    real(key, fallback) {
      const value = get(key) ?? fallback;
      // JSON has no infinity, but 1e999 is read as one.
      const isPositive = typeof value === "number" && value > 0 && Number.isFinite(value);
      return isPositive ? value : wrong(key, "a positive number", value);
    },
    flag(key, fallback) {
      const value = get(key) ?? fallback;
      return typeof value === "boolean" ? value : wrong(key, "true or false", value);
    },
    choice(key, names, fallback) {
      const value = get(key) ?? fallback;
      return names.find((name) => name === value) ?? refuse(key);
    },
    list(key, count, what, isElement) {
      const value = get(key) ?? undefined;
      if (value === undefined) return undefined;
      if (!Array.isArray(value) || value.length !== count || !value.every(isElement)) {
        return wrong(key, `a list of ${count} ${what}`, value);
      }
      return value;
    },
    section(key) {
      const value = get(key) ?? undefined;
      if (value === undefined) return undefined;
      if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(key, "an object", value);
      return configEntries(path, value as Record<string, unknown>, `${prefix}${key}.`);
    },
    must(key, wanted) {
      if ((get(key) ?? wanted) !== wanted) refuse(key);
    },
    conflict(what) {
      throw new CheckpointError(`${path}: ${what}`);
    },
  };
}
