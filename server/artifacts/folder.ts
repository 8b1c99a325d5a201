import { randomUUID } from "node:crypto";
import { cp, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Artifacts } from "../ports.ts";

const keyShape = /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/i;

async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Syncs every file below, so that the rename that publishes the folder never publishes empty files. */
async function flushAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) if (entry.isFile()) await flush(join(entry.parentPath, entry.name));
}

/** Artifacts as plain folders under `root`. */
export function createFolderArtifacts(root: string): Artifacts {
  function pathOf(key: string): string {
    if (!keyShape.test(key)) throw new Error(`Expected an artifact key such as "adapters/2", got "${key}"`);
    return join(root, key);
  }

  async function has(key: string): Promise<boolean> {
    const found = await stat(pathOf(key)).catch(() => null);
    return found?.isDirectory() ?? false;
  }

  return {
    has,

    async put(key, folder) {
      const target = pathOf(key);
      if (await has(key)) throw new Error(`Artifact ${key} exists already in ${root}; artifacts never change`);
      await mkdir(dirname(target), { recursive: true });
      const staged = join(root, `.staged-${randomUUID()}`);
      try {
        await cp(folder, staged, { recursive: true, dereference: true });
        await flushAll(staged);
        await rename(staged, target);
      } catch (cause) {
        await rm(staged, { recursive: true, force: true });
        throw new Error(`Cannot store ${folder} as artifact ${key} in ${root}`, { cause });
      }
    },

    async fetch(key) {
      if (!(await has(key))) throw new Error(`There is no artifact ${key} in ${root}`);
      return pathOf(key);
    },

    async amend(key, file, content) {
      const path = join(pathOf(key), basename(file));
      await stat(path);
      await writeFile(`${path}.partial`, content);
      await flush(`${path}.partial`);
      await rename(`${path}.partial`, path);
    },

    remove: (key) => rm(pathOf(key), { recursive: true, force: true }),
  };
}
