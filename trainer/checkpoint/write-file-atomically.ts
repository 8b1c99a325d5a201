import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";

/**
 * Writes beside, syncs, then renames: a crash leaves the old file or the new one, never half of one. A write that fails,
 * as on a full disk, leaves the old one and nothing else.
 */
export function writeFileAtomically(path: string, bytes: Uint8Array): void {
  const partial = `${path}.new`;
  try {
    const descriptor = openSync(partial, "w");
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}
