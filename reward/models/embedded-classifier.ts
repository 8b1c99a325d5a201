/** The embedded reward model: a folder with config.json and weights, run by the engine. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { allFinite } from "../../engine/checkpoint/finite.ts";
import { openSafetensors, readTensor } from "../../engine/checkpoint/safetensors.ts";
import { createSession, floats, type GraphSession } from "../../engine/runtime/session.ts";
import {
  type ClassifierConfig,
  type ParameterName,
  parameterShapes,
  parseClassifierConfig,
} from "../classifier/config.ts";
import { classifierFeeds, classifierGraph } from "../classifier/graph.ts";
import { combineViews, textViews } from "../classifier/views.ts";
import type { TextFeatures } from "../text/features.ts";
import type { RewardModel, ToxicityScore } from "../types.ts";

/** Windows of one run: bounds memory for any number and length of texts. */
const windowsPerRun = 64;
/** Log-odds of a text without a word: as clean as most clean texts, but no cleaner. */
const emptyLogit = -4;

/**
 * Loads a classifier folder as `reward/train/train.ts` writes it.
 * @throws Error naming the file, and the tensor where one is to blame
 */
export async function loadEmbeddedClassifier(folder: string): Promise<RewardModel> {
  const configPath = join(folder, "config.json");
  const configText = readText(configPath);
  const config = parseClassifierConfig(configText, configPath);
  const weightsPath = join(folder, config.weights.file);
  const weights = readWeights(config, weightsPath);
  const session = await createSession(classifierGraph(config), {
    threads: 1,
    buffers: Object.fromEntries([...weights].map(([name, data]) => [name, bytesOf(data)])),
    locate: (name) => ({ file: name, offset: 0, length: weights.get(name)?.byteLength ?? 0 }),
  });
  const version = createHash("sha256").update(configText).update(readFileSync(weightsPath)).digest("hex").slice(0, 12);
  return {
    name: config.name,
    version,
    score: (texts) => scoreTexts(session, config, texts),
    dispose: () => session.dispose(),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`${path}: cannot be read`, { cause });
  }
}

function readWeights(config: ClassifierConfig, path: string): Map<string, Float32Array> {
  const file = openSafetensors(path);
  const weights = new Map<string, Float32Array>();
  for (const [name, shape] of parameterShapes(config)) {
    const stored = file.tensors.get(name);
    if (stored === undefined) throw new Error(`${path}: expected a tensor ${name} [${shape.join(", ")}], found none`);
    if (stored.shape.join() !== shape.join()) {
      const found = `[${stored.shape.join(", ")}]`;
      throw new Error(`${path}: expected tensor ${name} of shape [${shape.join(", ")}] by config.json, got ${found}`);
    }
    const values = readTensor(file, name);
    if (!allFinite(values)) throw new Error(`${path}: tensor ${name} holds values that are not finite`);
    weights.set(name satisfies ParameterName, values);
  }
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (sha256 !== config.weights.sha256) {
    throw new Error(`${path}: expected sha256 ${config.weights.sha256} by config.json, got ${sha256}`);
  }
  return weights;
}

const bytesOf = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

async function scoreTexts(
  session: GraphSession<"raw">,
  config: ClassifierConfig,
  texts: readonly string[],
): Promise<ToxicityScore[]> {
  const views = texts.map((text) => textViews(text, config));
  const windows = views.flatMap(({ whole, sentences }) => [...whole, ...sentences]);
  const raw = await rawOutputs(session, config, windows);
  let next = 0;
  const take = (count: number) => {
    next += count;
    return raw.slice(next - count, next);
  };
  return views.map(({ whole, sentences }) => {
    const wholeRaw = take(whole.length);
    const sentencesRaw = take(sentences.length);
    const logits = config.calibration.map(({ scale, offset }, head) => {
      if (whole.length === 0) return emptyLogit;
      const of = (rows: Float32Array[]) => rows.map((row) => row[head] as number);
      return scale * combineViews(of(wholeRaw), of(sentencesRaw)) + offset;
    });
    return {
      toxicity: sigmoid(logits[0] as number),
      logit: logits[0] as number,
      attributes: Object.fromEntries(config.heads.map((name, head) => [name, sigmoid(logits[head] as number)])),
    };
  });
}

/** One row of head outputs a window. */
async function rawOutputs(
  session: GraphSession<"raw">,
  config: ClassifierConfig,
  windows: readonly TextFeatures[],
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  const heads = config.heads.length;
  for (let start = 0; start < windows.length; start += windowsPerRun) {
    const batch = windows.slice(start, start + windowsPerRun);
    const values = floats((await session.run(classifierFeeds(batch, config))).raw);
    for (let row = 0; row < batch.length; row++) rows.push(values.subarray(row * heads, (row + 1) * heads));
  }
  return rows;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
