/** sha256 of large files, remembered beside them so that it is computed once. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { atOnce } from "../in-slices.ts";

/** Yields after each piece of the file that `use` has been called with, from byte `start` on, in order. */
function* readingPieces(
  path: string,
  use: (piece: Uint8Array) => void,
  { start = 0, length = 2 ** 20 } = {},
): Generator<undefined, void> {
  const piece = Buffer.alloc(length);
  const descriptor = openSync(path, "r");
  try {
    let position = start;
    for (let size = 1; size > 0; position += size) {
      size = readSync(descriptor, piece, 0, piece.length, position);
      use(piece.subarray(0, size));
      yield;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Calls `use` with the file's pieces from byte `start` on, in order. */
export function readPieces(path: string, use: (piece: Uint8Array) => void, start = 0): void {
  atOnce(readingPieces(path, use, { start }));
}

/** sha256 of a file that is read in pieces of a fraction of a millisecond. */
export function* hashingFile(path: string): Generator<undefined, string> {
  const hash = createHash("sha256");
  yield* readingPieces(path, (piece) => hash.update(piece), { length: 2 ** 17 });
  return hash.digest("hex");
}

export function hashFile(path: string): string {
  return atOnce(hashingFile(path));
}

/**
 * What was computed of files whose sizes and times of change are those that `note` tells, without reading them; else it
 * is computed and noted. A note that cannot be written costs the next start the same work.
 */
export function remembered(paths: readonly string[], note: string, compute: () => string): string {
  const seen = paths.map((path) => {
    const { size, mtimeMs } = statSync(path);
    return { name: basename(path), size, mtimeMs };
  });
  try {
    const known = JSON.parse(readFileSync(note, "utf8")) as { files: unknown; sha256: string };
    const isSame = JSON.stringify(known.files) === JSON.stringify(seen);
    if (isSame && /^[0-9a-f]{64}$/.test(known.sha256)) return known.sha256;
  } catch {
    // None yet, or unreadable: it is made below.
  }
  const sha256 = compute();
  try {
    writeFileSync(note, `${JSON.stringify({ files: seen, sha256 })}\n`);
  } catch {
    // A read-only folder.
  }
  return sha256;
}
