/** Tokens to text, piece by piece: a character whose bytes are spread over tokens comes out once it is complete. */
import { bytesOf, type TokenBytes } from "./token-bytes.ts";

export class IncrementalDecoder {
  readonly #table: TokenBytes;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Spaces that the text may still lose at its beginning. */
  #leading: number;

  constructor(table: TokenBytes) {
    this.#table = table;
    this.#leading = table.leadingSpaces ?? 0;
  }

  /** The characters that this token completes; invalid bytes become U+FFFD as soon as they are known to be invalid. */
  push(token: number): string {
    return this.#begin(this.#utf8.decode(bytesOf(this.#table, token), { stream: true }));
  }

  /** What is left of an incomplete character, as U+FFFD; the decoder then begins anew. */
  flush(): string {
    const rest = this.#begin(this.#utf8.decode());
    this.#leading = this.#table.leadingSpaces ?? 0;
    return rest;
  }

  #begin(text: string): string {
    let start = 0;
    while (this.#leading > 0 && start < text.length) {
      if (text[start] !== " ") this.#leading = 0;
      else {
        start++;
        this.#leading--;
      }
    }
    return text.slice(start);
  }
}

/** The text of a whole sequence; control tokens leave no trace. */
export function decodeTokens(table: TokenBytes, tokens: readonly number[]): string {
  const decoder = new IncrementalDecoder(table);
  const parts = tokens.map((token) => decoder.push(token));
  return parts.join("") + decoder.flush();
}
