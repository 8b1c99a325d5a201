/** What each token id stands for in bytes, flat so that it can be handed to another thread as it is. */
import type { Decoding } from "./decoding.ts";

export interface TokenBytes {
  /** The bytes of all tokens, one after another. */
  bytes: Uint8Array;
  /** Token i is bytes[offsets[i]] up to bytes[offsets[i + 1]]; control tokens are empty. [vocabulary + 1] */
  offsets: Uint32Array;
  /** Spaces to drop where a text begins; none if absent. */
  leadingSpaces?: number;
}

/**
 * The characters by which byte-level BPE writes bytes in its vocabulary (Radford et al. 2019): printable Latin-1 stands
 * for itself, the other 68 bytes for the code points from 256 on.
 */
function byteOfCharacter(): Map<string, number> {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  const bytes = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) bytes.set(String.fromCharCode(isPrintable(byte) ? byte : next++), byte);
  return bytes;
}

/** Bytes of a spelling in which each character stands for one. */
function byteLevel(): (spelling: string, id: number) => Uint8Array {
  const characters = byteOfCharacter();
  return (spelling, id) =>
    Uint8Array.from([...spelling], (character) => {
      const byte = characters.get(character);
      if (byte === undefined) {
        throw new Error(`token ${id}, ${JSON.stringify(spelling)}, holds ${character}, which stands for no byte`);
      }
      return byte;
    });
}

/** Bytes of a spelling that is text but for its signs. */
function pieces({ kind, replacements, byteFallback, continuation }: Decoding): (spelling: string) => Uint8Array {
  const utf8 = new TextEncoder();
  return (spelling) => {
    const byte = byteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    if (kind === "wordpiece") {
      return utf8.encode(spelling.startsWith(continuation) ? spelling.slice(continuation.length) : ` ${spelling}`);
    }
    return utf8.encode(replacements.reduce((now, [from, to]) => now.replaceAll(from, to), spelling));
  };
}

/**
 * @param vocabulary id by spelling
 * @param added text by id, for tokens that stand outside the vocabulary; null for control tokens
 * @param size number of ids the model knows; ids without an entry are empty
 * @param decoding how the vocabulary is spelled; by default byte-level
 * @throws Error naming the token whose spelling stands for no bytes
 */
export function tokenBytes(
  vocabulary: Iterable<readonly [string, number]>,
  added: ReadonlyMap<number, string | null>,
  size: number,
  decoding?: Decoding,
): TokenBytes {
  const bytesOfSpelling = decoding === undefined || decoding.kind === "byte-level" ? byteLevel() : pieces(decoding);
  const utf8 = new TextEncoder();
  const parts = new Array<Uint8Array>(size).fill(new Uint8Array(0));
  for (const [spelling, id] of vocabulary) if (!added.has(id)) parts[id] = bytesOfSpelling(spelling, id);
  for (const [id, text] of added) parts[id] = utf8.encode(text ?? "");
  const offsets = new Uint32Array(size + 1);
  for (let id = 0; id < size; id++) offsets[id + 1] = (offsets[id] as number) + (parts[id]?.length ?? 0);
  const bytes = new Uint8Array(offsets[size] as number);
  for (const [id, part] of parts.entries()) bytes.set(part, offsets[id]);
  return { bytes, offsets, ...(decoding?.leadingSpaces ? { leadingSpaces: decoding.leadingSpaces } : {}) };
}

/** A view of one token's bytes; empty for an id outside the table. */
export function bytesOf({ bytes, offsets }: TokenBytes, token: number): Uint8Array {
  return bytes.subarray(offsets[token] ?? 0, offsets[token + 1] ?? 0);
}
