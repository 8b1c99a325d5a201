/** A program's output folder, kept in Redis as it grows, so that another machine can go on from it. */
import { readdir, rm, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { RedisClient } from "../jobs/bull/redis-connection.ts";
import { createSharedFiles, type SharedFile, sharedFileMs } from "./shared-files.ts";
import { relativePath, sharedFileSchema, taskKeys } from "./task.ts";
import type { TaskFence } from "./task-fence.ts";

/** Half-written files, and what means something on one machine only. */
const leftOut = /(?:\.new|\.partial|\.pid)$/;

/** Paths of the files below, with what tells whether they have changed. */
async function lookAt(folder: string): Promise<Map<string, string>> {
  const seen = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || leftOut.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const found = await stat(path).catch(() => null);
    if (found === null) continue;
    seen.set(relative(folder, path).split(sep).join("/"), `${found.ino} ${found.size} ${found.mtimeMs}`);
  }
  return seen;
}

export interface OutputFolderOptions {
  client: RedisClient;
  task: string;
  folder: string;
}

export function createOutputFolder({ client, task, folder }: OutputFolderOptions) {
  const files = createSharedFiles(client, task);
  const key = taskKeys(task).outputs;
  let uploaded = new Map<string, string>();
  let shared = new Map<string, SharedFile>();

  async function list(): Promise<Map<string, SharedFile>> {
    const stored = Object.entries(await client.hgetall(key));
    return new Map(stored.map(([path, json]) => [relativePath.parse(path), sharedFileSchema.parse(JSON.parse(json))]));
  }

  return {
    /**
     * Shares what has changed since the last time.
     * @param without paths that are not the program's own
     * @throws TaskTakenOverError
     */
    async upload(fence: TaskFence, without: readonly string[] = []): Promise<void> {
      const seen = await lookAt(folder);
      const changed = [...seen.keys()].filter(
        (path) => seen.get(path) !== uploaded.get(path) && !without.includes(path),
      );
      // The checkpoint first: logs that go further than it are understood, logs that fall short of it are not.
      changed.sort((a, b) => Number(b.includes("checkpoint")) - Number(a.includes("checkpoint")));
      const fresh = new Map<string, SharedFile>();
      for (const path of changed) {
        // It may have been moved or removed since.
        const file = await files.put(join(folder, path)).catch((error: NodeJS.ErrnoException) => {
          if (error.code === "ENOENT") return null;
          throw error;
        });
        if (file !== null) fresh.set(path, file);
      }
      if (fresh.size === 0) return;
      // All at once: whoever goes on finds files of one moment.
      await fence.set(key, new Map([...fresh].map(([path, file]) => [path, JSON.stringify(file)])));
      const replaced = [...fresh.keys()].map((path) => shared.get(path)).filter((file) => file !== undefined);
      for (const [path, file] of fresh) shared.set(path, file);
      uploaded = seen;
      const used = new Set([...shared.values()].map(({ sha256 }) => sha256));
      for (const file of replaced) if (!used.has(file.sha256)) await files.remove(file);
    },

    /** Whether the checkpoint is another than the one that is shared. */
    async hasNewCheckpoint(): Promise<boolean> {
      const isNew = ([path, look]: [string, string]) => path.includes("checkpoint") && look !== uploaded.get(path);
      return [...(await lookAt(folder))].some(isNew);
    },

    /** Writes what is shared into the folder; false when that is nothing. @param keep paths that stay whatever is shared */
    async download(keep: readonly string[] = []): Promise<boolean> {
      const wanted = await list();
      // Logs last: what they tell of is there by then.
      const paths = [...wanted.keys()].sort((a, b) => Number(a.endsWith(".jsonl")) - Number(b.endsWith(".jsonl")));
      for (const path of paths) {
        if (!keep.includes(path)) await files.fetch(wanted.get(path) as SharedFile, join(folder, path));
      }
      shared = wanted;
      uploaded = await lookAt(folder);
      return wanted.size > 0;
    },

    /** Keeps what is shared for another day. */
    async keep(): Promise<void> {
      await client.pexpire(key, sharedFileMs);
      for (const file of (await list()).values()) await files.keep(file);
    },

    /** Nobody will go on from it. */
    async forget(): Promise<void> {
      for (const file of (await list()).values()) await files.remove(file);
      await client.del(key);
    },

    /** Removes the folder on this machine. */
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}
