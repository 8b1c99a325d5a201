/** A model from the Hub into a folder that is there as a whole or not at all. */
import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { downloadFile } from "./download-file.ts";
import { type HubAccess, readHubModel } from "./hub.ts";
import { HubError } from "./hub-error.ts";
import { neededFiles } from "./needed-files.ts";

export interface FetchOptions {
  /** As `organisation/name`. */
  name: string;
  /** Branch, tag or commit. */
  revision: string;
  /** Folder to make. */
  target: string;
  access: HubAccess;
  onProgress(progress: { done: number; total: number; file: string }): void;
  /** As of `downloadFile`. */
  pauses?: readonly number[];
}

export interface FetchedModel {
  name: string;
  commit: string;
  folder: string;
  bytes: number;
  files: { path: string; size: number; checksum: string }[];
}

/** Left in the partial folder, so that files of two states are never mixed. */
const markFile = ".fetching.json";

/** @throws HubError */
export async function fetchModel(options: FetchOptions): Promise<FetchedModel> {
  const { name, revision, target, access } = options;
  if (!/^[\w.-]+(?:\/[\w.-]+)?$/.test(name) || name.includes("..")) {
    throw new HubError(`Expected a model as ORGANISATION/NAME, got ${JSON.stringify(name)}`);
  }
  if ((await stat(target).catch(() => null)) !== null) throw new HubError(`${target} exists already`);
  const model = await readHubModel(name, revision, access);
  const files = neededFiles(model.files, name);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const partial = `${target}.partial`;
  await mkdir(dirname(target), { recursive: true });
  await prepare(partial, JSON.stringify({ name, commit: model.commit }));

  const there = await Promise.all(
    files.map(async ({ path, size }) => Math.min(size, (await stat(join(partial, path)).catch(() => null))?.size ?? 0)),
  );
  await checkSpace(dirname(target), total - there.reduce((sum, size) => sum + size, 0));

  let finished = 0;
  for (const file of files) {
    const onProgress = (bytes: number) => options.onProgress({ done: finished + bytes, total, file: file.path });
    await downloadFile(file, { ...options, commit: model.commit, folder: partial, onProgress });
    finished += file.size;
  }
  await rm(join(partial, markFile));
  await rename(partial, target);
  return {
    name,
    commit: model.commit,
    folder: target,
    bytes: total,
    files: files.map(({ path, size, checksum }) => ({ path, size, checksum: `${checksum.kind}:${checksum.value}` })),
  };
}

/** An earlier attempt's folder is taken up if it was after the same commit, else cleared. */
async function prepare(partial: string, mark: string): Promise<void> {
  const path = join(partial, markFile);
  const left = await readFile(path, "utf8").catch(() => null);
  try {
    if (left !== mark) await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await writeFile(path, mark);
  } catch (cause) {
    throw new HubError(`${partial}: cannot be written`, { cause });
  }
}

async function checkSpace(folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  if (needed > free) throw new HubError(`${folder}: the model needs ${gigabytes(needed)}, ${gigabytes(free)} are free`);
}
