/**
 * Keys and values of sequences that were read before, so that the next turn of a conversation reads only what is new.
 * An entry belongs to an adapter as well as to its tokens: what one version wrote is wrong under another.
 */
import type { SavedRows } from "./kv-cache.ts";

interface Entry {
  adapter: string | null;
  tokens: readonly number[];
  rows: SavedRows;
}

/** How many tokens two sequences begin alike. */
function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

export class PrefixStore {
  readonly #mostBytes: number;
  /** Least recently used first. */
  #entries: Entry[] = [];

  /** @param mostBytes of keys and values; what was used longest ago makes room */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#entries.reduce((sum, { rows }) => sum + rows.bytes, 0);
  }

  /** Would rows of so many bytes be kept at all? */
  takes(bytes: number): boolean {
    return bytes <= this.#mostBytes;
  }

  /** Keeps a sequence. Shorter ones that it begins with are told by it and go. */
  put(adapter: string | null, tokens: readonly number[], rows: SavedRows): void {
    if (!this.takes(rows.bytes)) return;
    this.#entries = this.#entries.filter(
      (entry) => entry.adapter !== adapter || commonLength(entry.tokens, tokens) < entry.tokens.length,
    );
    this.#entries.push({ adapter, tokens, rows });
    while (this.bytes > this.#mostBytes) this.#entries.shift();
  }

  /** The kept sequence that begins most like these tokens, and how far; null where none does. */
  longest(adapter: string | null, tokens: readonly number[]): { rows: SavedRows; length: number } | null {
    let best: Entry | null = null;
    let length = 0;
    for (const entry of this.#entries) {
      if (entry.adapter !== adapter) continue;
      const common = commonLength(entry.tokens, tokens);
      if (common > length) [best, length] = [entry, common];
    }
    if (best === null) return null;
    const used = best;
    this.#entries = [...this.#entries.filter((entry) => entry !== used), used];
    return { rows: used.rows, length };
  }

  /** Lets go of everything that an adapter wrote. */
  forget(adapter: string): void {
    this.#entries = this.#entries.filter((entry) => entry.adapter !== adapter);
  }
}
