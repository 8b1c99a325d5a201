/** sha256 of large files, remembered beside them so that it is computed once. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";

/** Calls `use` with the file's pieces from byte `start` on, in order. */
export function readPieces(path: string, use: (piece: Uint8Array) => void, start = 0): void {
  const piece = Buffer.alloc(2 ** 20);
  const descriptor = openSync(path, "r");
  try {
    let position = start;
    for (let size = 1; size > 0; position += size) {
      size = readSync(descriptor, piece, 0, piece.length, position);
      use(piece.subarray(0, size));
    }
  } finally {
    closeSync(descriptor);
  }
}

export function hashFile(path: string): string {
  const hash = createHash("sha256");
  readPieces(path, (piece) => hash.update(piece));
  return hash.digest("hex");
}

/**
 * The hash of a file whose size and time of change are those that `note` tells, without reading it; else it is
 * computed and noted. A note that cannot be written costs the next start the same work.
 */
export function rememberedHash(path: string, note: string): string {
  const { size, mtimeMs } = statSync(path);
  try {
    const known: unknown = JSON.parse(readFileSync(note, "utf8"));
    const { sha256, ...seen } = known as { size: number; mtimeMs: number; sha256: string };
    if (seen.size === size && seen.mtimeMs === mtimeMs && /^[0-9a-f]{64}$/.test(sha256)) return sha256;
  } catch {
    // None yet, or unreadable: it is made below.
  }
  const sha256 = hashFile(path);
  try {
    writeFileSync(note, `${JSON.stringify({ size, mtimeMs, sha256 })}\n`);
  } catch {
    // A read-only folder.
  }
  return sha256;
}
