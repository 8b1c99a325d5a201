/** What each token id stands for in bytes, flat so that it can be handed to another thread as it is. */

export interface TokenBytes {
  /** The bytes of all tokens, one after another. */
  bytes: Uint8Array;
  /** Token i is bytes[offsets[i]] up to bytes[offsets[i + 1]]; control tokens are empty. [vocabulary + 1] */
  offsets: Uint32Array;
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

/**
 * @param vocabulary id by byte-level spelling
 * @param added id by text, for tokens that stand outside the byte-level vocabulary; null for control tokens
 * @param size number of ids the model knows; ids without an entry are empty
 */
export function tokenBytes(
  vocabulary: Readonly<Record<string, number>>,
  added: ReadonlyMap<number, string | null>,
  size: number,
): TokenBytes {
  const characters = byteOfCharacter();
  const utf8 = new TextEncoder();
  const parts = new Array<Uint8Array>(size).fill(new Uint8Array(0));
  for (const [spelling, id] of Object.entries(vocabulary)) {
    if (added.has(id)) continue;
    parts[id] = Uint8Array.from([...spelling], (character) => {
      const byte = characters.get(character);
      if (byte === undefined) {
        throw new Error(`token ${id}, ${JSON.stringify(spelling)}, holds ${character}, which stands for no byte`);
      }
      return byte;
    });
  }
  for (const [id, text] of added) parts[id] = utf8.encode(text ?? "");
  const offsets = new Uint32Array(size + 1);
  for (let id = 0; id < size; id++) offsets[id + 1] = (offsets[id] as number) + (parts[id]?.length ?? 0);
  const bytes = new Uint8Array(offsets[size] as number);
  for (const [id, part] of parts.entries()) bytes.set(part, offsets[id]);
  return { bytes, offsets };
}

/** A view of one token's bytes; empty for an id outside the table. */
export function bytesOf({ bytes, offsets }: TokenBytes, token: number): Uint8Array {
  return bytes.subarray(offsets[token] ?? 0, offsets[token + 1] ?? 0);
}
