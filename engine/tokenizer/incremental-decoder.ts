/** Tokens to text, piece by piece: a character whose bytes are spread over tokens comes out once it is complete. */
import { bytesOf, type TokenBytes } from "./token-bytes.ts";

export class IncrementalDecoder {
  readonly #table: TokenBytes;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(table: TokenBytes) {
    this.#table = table;
  }

  /** The characters that this token completes; invalid bytes become U+FFFD as soon as they are known to be invalid. */
  push(token: number): string {
    return this.#utf8.decode(bytesOf(this.#table, token), { stream: true });
  }

  /** What is left of an incomplete character, as U+FFFD; the decoder then begins anew. */
  flush(): string {
    return this.#utf8.decode();
  }
}

/** The text of a whole sequence; control tokens leave no trace. */
export function decodeTokens(table: TokenBytes, tokens: readonly number[]): string {
  const parts = tokens.map((token) => bytesOf(table, token));
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(whole);
}
