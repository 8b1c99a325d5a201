/**
 * Quantized checkpoints are made once and kept: in `quantized/` beside the checkpoint or, where that cannot be written,
 * in a cache folder. A file's name tells what it was made of, so one of other weights is never taken for it.
 */
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { checkTensors } from "../checkpoint/checkpoint.ts";
import { readArchitecture } from "../checkpoint/config.ts";
import { readPieces, rememberedHash } from "../checkpoint/file-hash.ts";
import { openSafetensors, type SafetensorsFile } from "../checkpoint/safetensors.ts";
import { CheckpointError } from "../types.ts";
import { entriesOf, type Precision, planParts } from "./layout.ts";
import { quantizedContext } from "./quantized-context.ts";
import { type QuantizationProgress, writeQuantized } from "./write-quantized.ts";

/** Counts up when what is written changes, so that older files are made anew. */
const formatVersion = 1;

export interface QuantizedOptions {
  precision: Precision;
  /** Where files go that cannot lie beside the checkpoint. Default: `rejoinder` in the user's cache folder. */
  cacheDir?: string;
  onProgress?: QuantizationProgress;
}

/** What has been made, where, and whether it was there before. */
export interface QuantizedFile {
  path: string;
  bytes: number;
  sourceSha256: string;
  isNew: boolean;
}

function cacheFolder(modelDir: string, fallback: string | undefined): string {
  const beside = join(modelDir, "quantized");
  try {
    mkdirSync(beside, { recursive: true });
    accessSync(beside, constants.W_OK);
    return beside;
  } catch {
    const base = fallback ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rejoinder");
    const own = createHash("sha256").update(resolve(modelDir)).digest("hex").slice(0, 12);
    const folder = join(base, `${basename(resolve(modelDir))}-${own}`);
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

/** Whether the file is whole: header, tensors and checksum. */
function isIntact(path: string, wanted: ReadonlyMap<string, { shape: readonly number[] }>): boolean {
  let file: SafetensorsFile;
  try {
    file = openSafetensors(path);
  } catch (error) {
    if (error instanceof CheckpointError) return false;
    throw error;
  }
  for (const [name, { shape }] of wanted) {
    if (file.tensors.get(name)?.shape.join() !== shape.join()) return false;
  }
  let checksum = 0;
  readPieces(path, (piece) => (checksum = crc32(piece, checksum)), file.dataStart);
  return checksum.toString(16).padStart(8, "0") === file.metadata.crc32;
}

/** Makes the quantized file of a checkpoint folder if it is not there or damaged. @throws CheckpointError */
export function ensureQuantized(folder: string, { precision, cacheDir, onProgress }: QuantizedOptions): QuantizedFile {
  const architecture = readArchitecture(folder);
  const source = openSafetensors(join(folder, "model.safetensors"));
  checkTensors(source, architecture);
  const cache = cacheFolder(folder, cacheDir);
  const sourceSha256 = rememberedHash(source.path, join(cache, "source.json"));
  const key = createHash("sha256").update(`${sourceSha256} ${precision} ${formatVersion}`).digest("hex");
  const path = join(cache, `${precision}-${key.slice(0, 16)}.safetensors`);
  const wanted = new Map(planParts(architecture, precision).flatMap((part) => entriesOf(part, architecture)));
  const isNew = !existsSync(path) || !isIntact(path, wanted);
  if (isNew) {
    rmSync(path, { force: true });
    const metadata = { format: `rejoinder-${precision}`, version: String(formatVersion), source: sourceSha256 };
    writeQuantized(path, source, architecture, precision, metadata, onProgress);
  }
  return { path, bytes: statSync(path).size, sourceSha256, isNew };
}

/** A checkpoint folder in a lower precision. Weights stay in their file, which sessions map. @throws CheckpointError */
export function openQuantized(folder: string, options: QuantizedOptions): BaseModel {
  const architecture = readArchitecture(folder);
  const { path, sourceSha256 } = ensureQuantized(folder, options);
  const { tensors } = openSafetensors(path);
  const parts = planParts(architecture, options.precision);
  return {
    folder,
    architecture,
    parameters: [...architecture.parameters.values()].reduce(
      (sum, shape) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    ),
    sha256: sourceSha256,
    quantization: options.precision,
    frozen: () => quantizedContext(architecture, parts),
    source: {
      folder: dirname(path),
      locate(name) {
        const stored = tensors.get(name);
        if (stored === undefined) throw new CheckpointError(`${path}: there is no tensor ${name}`);
        return { file: basename(path), offset: stored.offset, length: stored.length };
      },
    },
  };
}
