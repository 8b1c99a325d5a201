import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { decodeBfloat16, encodeBfloat16 } from "../../engine/checkpoint/float16.ts";
import type { ClassifierShape } from "../classifier/config.ts";
import { combineViews, textViews } from "../classifier/views.ts";
import { writeClassifierFolder } from "../classifier/write-folder.ts";
import { initialParameters, Network, type Parameters } from "../train/network.ts";
import { seededRandom } from "../train/random.ts";
import type { RewardModel } from "../types.ts";
import { loadEmbeddedClassifier } from "./embedded-classifier.ts";

const shape: ClassifierShape = {
  wideBuckets: 256,
  embeddingBuckets: 128,
  windowWords: 8,
  embeddingSize: 4,
  filters: 8,
  hiddenSize: 4,
  heads: ["TOXICITY", "INSULT"],
};
const calibration = [
  { scale: 2, offset: -1 },
  { scale: 0.5, offset: 0.25 },
];
const rounded = Object.fromEntries(
  Object.entries(initialParameters(shape, seededRandom(11))).map(([name, values]) => [
    name,
    decodeBfloat16(encodeBfloat16(values)),
  ]),
) as Parameters;

let folder: string;
let model: RewardModel;
const write = (parameters: Parameters = rounded) =>
  writeClassifierFolder(folder, { name: "tiny", shape, parameters, calibration });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "classifier-"));
  write();
  model = await loadEmbeddedClassifier(folder);
});
beforeEach(() => void write());
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

test("a text's log-odds are calibrated from its windows and its sentences", async () => {
  const text = "The weather is rather nice today. Would you like to come along for a walk with the dog?";
  const network = new Network(shape, rounded);
  const { whole, sentences } = textViews(text, shape);
  expect([whole.length, sentences.length]).toEqual([4, 3]);
  const raw = (head: number) => {
    const of = (windows: typeof whole) => windows.map((window) => network.forward(window)[head] as number);
    return combineViews(of(whole), of(sentences));
  };
  const [score] = await model.score([text]);
  expect(score?.logit).toBeCloseTo(2 * raw(0) - 1, 4);
  expect(score?.toxicity).toBeCloseTo(1 / (1 + Math.exp(1 - 2 * raw(0))), 5);
  expect(score?.attributes.TOXICITY).toBe(score?.toxicity);
  expect(score?.attributes.INSULT).toBeCloseTo(1 / (1 + Math.exp(-0.5 * raw(1) - 0.25)), 5);
});

test("each view is a log-mean-exp of sharpness 2, and the two are averaged", () => {
  expect(combineViews([4], [])).toBe(4);
  expect(combineViews([3, 3, 3], [1])).toBeCloseTo(2);
  // ln((e^0 + e^(2 ln 3)) / 2) / 2 = ln(5) / 2
  expect(combineViews([0, Math.log(3)], [])).toBeCloseTo(Math.log(5) / 2);
  // One bad part among many harmless ones costs at most ln(n) / 2.
  expect(combineViews([...new Array(99).fill(-5), 8], [])).toBeCloseTo(8 - Math.log(100) / 2, 3);
  expect(combineViews([1000, -1000], [])).toBeCloseTo(1000 - Math.log(2) / 2);
});

test("a batch gives what its texts give one by one, empty ones included", async () => {
  const texts = ["Hello there", "", "How are you? I am fine, thank you very much.", "?!", "ok"];
  const together = await model.score(texts);
  for (const [i, text] of texts.entries()) {
    const [alone] = await model.score([text]);
    expect(together[i]?.logit).toBeCloseTo(alone?.logit ?? Number.NaN, 5);
  }
  expect(await model.score([])).toEqual([]);
});

test("a text without words is clean", async () => {
  for (const score of await model.score(["", " \n", "... !!! ***"])) {
    expect(score.toxicity).toBeLessThan(0.05);
    expect(score.attributes.INSULT).toBeLessThan(0.05);
  }
});

test("texts of any length are scored, and beyond the limit by their two ends", async () => {
  const [long] = await model.score(["Some words, again and again. ".repeat(4000)]); // 116,000 characters
  expect(Number.isFinite(long?.logit)).toBe(true);
  const middle = (word: string) => `${"a start ".repeat(13_000)} ${word} ${"the end ".repeat(13_000)}`;
  const [one, other] = await model.score([middle("tulip"), middle("zebra")]);
  expect(one?.logit).toBe(other?.logit);
});

test("the version follows the files' content", async () => {
  expect(model.version).toMatch(/^[0-9a-f]{12}$/);
  const changed = { ...rounded, "output.bias": Float32Array.of(1, 1) };
  write(changed);
  const other = await loadEmbeddedClassifier(folder);
  expect(other.version).not.toBe(model.version);
  expect(other.name).toBe("tiny");
  await other.dispose();
});

test("a folder that is no classifier is refused by file name", async () => {
  await expect(loadEmbeddedClassifier(join(folder, "absent"))).rejects.toThrow(/absent.config\.json: cannot be read/);
  writeFileSync(join(folder, "config.json"), "{");
  await expect(loadEmbeddedClassifier(folder)).rejects.toThrow(/config\.json: is not JSON/);
  writeFileSync(join(folder, "config.json"), "{}");
  await expect(loadEmbeddedClassifier(folder)).rejects.toThrow(/config\.json.*format/s);
});

test("weights that do not fit the configuration are refused by file and tensor", async () => {
  const path = join(folder, "config.json");
  writeFileSync(path, readFileSync(path, "utf8").replace('"filters": 8', '"filters": 16'));
  await expect(loadEmbeddedClassifier(folder)).rejects.toThrow(
    /model\.safetensors: expected tensor convolution\.weight of shape \[16, 12\] by config\.json, got \[8, 12\]/,
  );
});

test("damaged weights are refused", async () => {
  const path = join(folder, "model.safetensors");
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - 2));
  await expect(loadEmbeddedClassifier(folder)).rejects.toThrow(/model\.safetensors: tensor output\.bias ends at byte/);
  const flipped = Uint8Array.from(bytes);
  flipped[bytes.length - 1] = (flipped[bytes.length - 1] as number) ^ 1;
  writeFileSync(path, flipped);
  await expect(loadEmbeddedClassifier(folder)).rejects.toThrow(
    /model\.safetensors: expected sha256 [0-9a-f]+ by config\.json/,
  );
  write({ ...rounded, "hidden.bias": Float32Array.of(Number.NaN, 0, 0, 0) });
  await expect(loadEmbeddedClassifier(folder)).rejects.toThrow(/tensor hidden\.bias holds values that are not finite/);
});
