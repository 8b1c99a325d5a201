/**
 * Quantized checkpoints are made once and kept: in `quantized/` beside the checkpoint or, where that cannot be written,
 * in a cache folder. A file's name tells what it was made of, so one of other weights is never taken for it.
 */
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import type { Architecture } from "../architectures/architecture.ts";
import type { BaseModel } from "../checkpoint/base-model.ts";
import { openCheckpointTensors } from "../checkpoint/checkpoint.ts";
import { readArchitecture } from "../checkpoint/config.ts";
import { readPieces } from "../checkpoint/file-hash.ts";
import { openSafetensors, type SafetensorsFile } from "../checkpoint/safetensors.ts";
import { CheckpointError } from "../types.ts";
import { entriesOf, type Part, type Precision, planParts } from "./layout.ts";
import { findOutliers } from "./outlier-columns.ts";
import { quantizedContext } from "./quantized-context.ts";
import { type QuantizationProgress, writeQuantized } from "./write-quantized.ts";

/** Counts up when what is written changes, so that older files are made anew. */
const formatVersion = 2;

/** What the quantized file of weights with this hash is called: another name for other weights. */
export function quantizedFileName(sha256: string, precision: Precision): string {
  const key = createHash("sha256").update(`${sha256} ${precision} ${formatVersion}`).digest("hex");
  return `${precision}-${key.slice(0, 16)}.safetensors`;
}

export interface QuantizedOptions {
  precision: Precision;
  /** Where files go that cannot lie beside the checkpoint. Default: `rejoinder` in the user's cache folder. */
  cacheDir?: string;
  /** As `BaseModelOptions` has it. */
  roundGradients?: boolean;
  onProgress?: QuantizationProgress;
}

export interface QuantizedModel extends BaseModel {
  /** Where its weights lie, and whether they had to be made. */
  quantizedFile: { path: string; bytes: number; isNew: boolean };
}

interface QuantizedTensors {
  file: SafetensorsFile;
  parts: Part[];
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

/** A quantized file that is there and whole: header, tensors and checksum; null otherwise. */
function readIntact(path: string, architecture: Architecture, precision: Precision): QuantizedTensors | null {
  if (!existsSync(path)) return null;
  try {
    const file = openSafetensors(path);
    const outliers = new Map(Object.entries(JSON.parse(file.metadata.outliers ?? "{}") as Record<string, number[]>));
    const parts = planParts(architecture, precision, outliers);
    for (const [name, { shape }] of parts.flatMap((part) => entriesOf(part, architecture))) {
      if (file.tensors.get(name)?.shape.join() !== shape.join()) return null;
    }
    let checksum = 0;
    readPieces(path, (piece) => (checksum = crc32(piece, checksum)), file.dataStart);
    return checksum.toString(16).padStart(8, "0") === file.metadata.crc32 ? { file, parts } : null;
  } catch {
    // Whatever cannot be read is made anew, and what is wrong with the folder shows then.
    return null;
  }
}

function asModel(
  folder: string,
  architecture: Architecture,
  { file, parts }: QuantizedTensors,
  identity: Pick<BaseModel, "sha256" | "parameters"> & { quantization: Precision },
  roundGradients = false,
): BaseModel {
  return {
    folder,
    architecture,
    ...identity,
    frozen: () => quantizedContext(architecture, parts, roundGradients),
    source: {
      folder: dirname(file.path),
      locate(name) {
        const stored = file.tensors.get(name);
        if (stored === undefined) throw new CheckpointError(`${file.path}: there is no tensor ${name}`);
        return { file: basename(file.path), offset: stored.offset, length: stored.length };
      },
    },
  };
}

/**
 * A checkpoint folder in a lower precision, made at the first call. Weights stay in their file, which sessions map.
 *
 * @throws CheckpointError
 */
export async function openQuantized(folder: string, options: QuantizedOptions): Promise<QuantizedModel> {
  const { precision, cacheDir, roundGradients, onProgress } = options;
  const architecture = readArchitecture(folder);
  const source = openCheckpointTensors(folder, architecture);
  const cache = cacheFolder(folder, cacheDir);
  const sha256 = source.sha256(join(cache, "source.json"));
  const identity = { sha256, parameters: source.parameters, quantization: precision };
  const path = join(cache, quantizedFileName(sha256, precision));
  const described = (tensors: QuantizedTensors, isNew: boolean): QuantizedModel => ({
    ...asModel(folder, architecture, tensors, identity, roundGradients),
    quantizedFile: { path, bytes: statSync(path).size, isNew },
  });
  const known = readIntact(path, architecture, precision);
  if (known !== null) return described(known, false);

  const write = (to: string, outliers: Map<string, number[]>): QuantizedTensors => {
    const parts = planParts(architecture, precision, outliers);
    const metadata = {
      format: `rejoinder-${precision}`,
      version: String(formatVersion),
      source: sha256,
      outliers: JSON.stringify(Object.fromEntries(outliers)),
    };
    writeQuantized(to, source.tensors, architecture, parts, metadata, onProgress);
    return { file: openSafetensors(to), parts };
  };
  // The blocks of int4 products are short enough for outliers to harm few neighbours.
  if (precision === "int4") return described(write(path, new Map()), true);
  // The outliers of int8 products are looked for in a model that does not set them apart yet.
  const draft = `${path}.${process.pid}.draft`;
  try {
    const outliers = await findOutliers(asModel(folder, architecture, write(draft, new Map()), identity));
    return described(write(path, outliers), true);
  } finally {
    rmSync(draft, { force: true });
  }
}
