/** Files on their way between machines: in Redis, by their sha256, in pieces, for a day. */
import { createHash } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { keyPrefix, type RedisClient } from "../jobs/bull/redis-connection.ts";

export interface SharedFile {
  sha256: string;
  /** Bytes. */
  size: number;
}

/** A whole file passes through Redis's memory. */
export const largestSharedFile = 1024 ** 3;
/** How long a file stays when nobody asks for it, ms. */
export const sharedFileMs = 24 * 60 * 60 * 1000;
const pieceBytes = 4 * 1024 ** 2;

export interface SharedFiles {
  /**
   * Shares the file as it is now: bytes that are appended meanwhile are left out.
   * @throws when it is larger than `largestSharedFile`
   */
  put(path: string): Promise<SharedFile>;
  /** Writes it to `path`, whole or not at all. @throws when it is no longer shared, or not what its hash says */
  fetch(file: SharedFile, path: string): Promise<void>;
  /** Keeps it for another day. */
  keep(file: SharedFile): Promise<void>;
  remove(file: SharedFile): Promise<void>;
}

/** @param scope files of one scope are told apart from those of another, so that removing one removes no other's */
export function createSharedFiles(client: RedisClient, scope: string): SharedFiles {
  const pieceKey = (sha256: string, index: number) => `${keyPrefix}:file:${scope}:${sha256}:${index}`;
  const keysOf = ({ sha256, size }: SharedFile) =>
    // An empty file has one empty piece: that it is there is what says that it is shared.
    Array.from({ length: Math.max(1, Math.ceil(size / pieceBytes)) }, (_, index) => pieceKey(sha256, index));

  /** Whether all of it is there, for another day from now. */
  async function keepAll(file: SharedFile): Promise<boolean> {
    for (const key of keysOf(file)) if ((await client.pexpire(key, sharedFileMs)) === 0) return false;
    return true;
  }

  return {
    async put(path) {
      const handle = await open(path, "r");
      try {
        const { size } = await handle.stat();
        if (size > largestSharedFile) {
          throw new Error(
            `${path}: has ${size} bytes; files of at most ${largestSharedFile} bytes are shared with workers`,
          );
        }
        const buffer = Buffer.alloc(Math.min(pieceBytes, size));
        async function eachPiece(take: (piece: Buffer, index: number) => unknown): Promise<void> {
          for (let at = 0, index = 0; at < size; index++) {
            let filled = 0;
            const wanted = Math.min(pieceBytes, size - at);
            while (filled < wanted) {
              const { bytesRead } = await handle.read(buffer, filled, wanted - filled, at + filled);
              if (bytesRead === 0) throw new Error(`${path}: became shorter while it was read`);
              filled += bytesRead;
            }
            await take(buffer.subarray(0, filled), index);
            at += filled;
          }
        }
        const hash = createHash("sha256");
        await eachPiece((piece) => hash.update(piece));
        const file = { sha256: hash.digest("hex"), size };
        if (await keepAll(file)) return file;
        if (size === 0) await client.set(pieceKey(file.sha256, 0), "", "PX", sharedFileMs);
        await eachPiece((piece, index) => client.set(pieceKey(file.sha256, index), piece, "PX", sharedFileMs));
        return file;
      } finally {
        await handle.close();
      }
    },

    async fetch(file, path) {
      await mkdir(dirname(path), { recursive: true });
      const partial = `${path}.partial`;
      const hash = createHash("sha256");
      const handle = await open(partial, "w");
      try {
        for (const key of keysOf(file)) {
          const piece = await client.getBuffer(key);
          if (piece === null) throw new Error(`File ${file.sha256} is no longer shared`);
          hash.update(piece);
          await handle.writeFile(piece);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const sha256 = hash.digest("hex");
      if (sha256 !== file.sha256) throw new Error(`A shared file has sha256 ${sha256}, expected ${file.sha256}`);
      await rename(partial, path);
    },

    async keep(file) {
      await keepAll(file);
    },

    async remove(file) {
      await client.del(...keysOf(file));
    },
  };
}
