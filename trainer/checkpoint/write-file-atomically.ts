import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";

/** Writes beside, syncs, then renames: a crash leaves the old file or the new one, never half of one. */
export function writeFileAtomically(path: string, bytes: Uint8Array): void {
  const descriptor = openSync(`${path}.new`, "w");
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${path}.new`, path);
}
