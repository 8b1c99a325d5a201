/** One file of a model over HTTP: goes on where an earlier attempt broke off, and is what it should be at the end. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { explainStatus, type HubAccess } from "./hub.ts";
import { HubError } from "./hub-error.ts";
import type { HubFile } from "./needed-files.ts";

export interface DownloadOptions {
  access: HubAccess;
  name: string;
  commit: string;
  /** Folder that the file goes to, under its path in the repository. */
  folder: string;
  /** Called with the number of the file's bytes that are there. */
  onProgress(bytes: number): void;
  /** Waits between attempts, milliseconds. */
  pauses?: readonly number[];
}

const defaultPauses = [500, 1000, 2000, 4000, 8000];
/** A connection that brings nothing for so long is taken for dead. */
const silenceMs = 60_000;

/** A connection that broke: another attempt may do. */
class BrokenOffError extends Error {}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

/** @throws HubError when the network, the disk or the checksum fails */
export async function downloadFile(file: HubFile, options: DownloadOptions): Promise<void> {
  const path = join(options.folder, file.path);
  await mkdir(dirname(path), { recursive: true });
  if ((await sizeOf(path)) > file.size) await rm(path);
  if (file.size === 0) await writeFile(path, "");
  const pauses = options.pauses ?? defaultPauses;
  let inVain = 0;
  for (let had = await sizeOf(path); had < file.size; had = await sizeOf(path)) {
    try {
      await fetchRest(file, path, had, options);
    } catch (error) {
      if (!(error instanceof BrokenOffError)) throw error;
      const got = await sizeOf(path);
      // Only attempts that brought nothing are counted: a long download may break off often.
      inVain = got > had ? 0 : inVain + 1;
      const pause = pauses[inVain];
      if (pause === undefined) {
        throw new HubError(
          `${file.path}: the connection broke off after ${got} of ${file.size} bytes; the same command goes on there`,
          { cause: error },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  await verify(file, path);
  options.onProgress(file.size);
}

async function fetchRest(file: HubFile, path: string, had: number, options: DownloadOptions): Promise<void> {
  const { access, name, commit } = options;
  const address = `${access.url}/${name}/resolve/${commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    const response = await attempt(() =>
      fetch(address, {
        signal: silence.signal,
        headers: {
          // What is compressed on the way has no place in the middle to go on from.
          "accept-encoding": "identity",
          ...(had > 0 ? { range: `bytes=${had}-` } : {}),
          ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
        },
      }),
    );
    if (response.status >= 500) throw new BrokenOffError(`${address} answered ${response.status}`);
    if (!response.ok || response.body === null) {
      throw new HubError(explainStatus(response.status, `${file.path} of ${name}`, access));
    }
    // A server that does not know ranges begins anew, and so do we.
    const goesOn = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${had}-`);
    const target = await open(path, goesOn ? "a" : "w");
    let bytes = goesOn ? had : 0;
    try {
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await attempt(() => reader.read());
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silenceMs);
        bytes += value.length;
        if (bytes > file.size) throw new HubError(`${file.path}: is longer than the ${file.size} bytes the hub lists`);
        await target.writeFile(value);
        options.onProgress(bytes);
      }
    } finally {
      await target.close();
    }
    if (bytes < file.size) throw new BrokenOffError(`ended at byte ${bytes}`);
  } catch (error) {
    throw diskError(error, path);
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new BrokenOffError("the connection broke off", { cause });
  }
}

function diskError(error: unknown, path: string): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === "ENOSPC") return new HubError(`${path}: the disk is full`, { cause: error });
  if (code !== undefined && error instanceof Error && "syscall" in error) {
    return new HubError(`${path}: cannot be written (${code})`, { cause: error });
  }
  return error;
}

async function verify({ path: name, checksum, size }: HubFile, path: string): Promise<void> {
  const hash = createHash(checksum.kind === "sha256" ? "sha256" : "sha1");
  // Git hashes a file's content after a word on its size.
  if (checksum.kind === "git-blob") hash.update(`blob ${size}\0`);
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece as Buffer);
  const got = hash.digest("hex");
  if (got === checksum.value) return;
  await rm(path);
  throw new HubError(
    `${name}: expected ${checksum.kind} ${checksum.value} by the hub, got ${got}; the file was removed, fetch it again`,
  );
}
