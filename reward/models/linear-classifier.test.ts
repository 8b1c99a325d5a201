import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linearFeatures } from "../linear/features.ts";
import { roundToInt8, writeLinearFolder } from "../linear/write-folder.ts";
import { loadRewardModel } from "../load-reward-model.ts";
import { trainLinear } from "../train/linear-training.ts";
import { seededRandom } from "../train/random.ts";
import { loadLinearClassifier } from "./linear-classifier.ts";

const buckets = 4096;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linear-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a folder whose weights are `weight` in the buckets of `text`, 0 elsewhere. */
function write(text: string, weight: number): void {
  const weights = new Float32Array(buckets);
  for (const bucket of linearFeatures(text, buckets)) weights[bucket] = weight;
  writeLinearFolder(folder, { name: "tiny", rounded: roundToInt8(weights), calibration: { scale: 2, offset: -3 } });
}

test("the features of a text are its words, their pairs and the character grams across them", () => {
  // " a b ": 2 words, 1 pair, 3 grams of three characters, 2 of four and 1 of five.
  expect(linearFeatures("A b", 2 ** 30)).toHaveLength(9);
  expect(linearFeatures("a  b", 2 ** 30)).toEqual(linearFeatures("Ａ B", 2 ** 30));
  expect(linearFeatures(" \n", 2 ** 30)).toHaveLength(0);
});

test("log-odds are the calibrated sum of weights over the root of their number", async () => {
  write("a b", 0.5);
  const model = await loadRewardModel(folder);
  const [score] = await model.score(["a b"]);
  // 9 buckets of 0.5: 4.5 / 3 = 1.5, and 2 * 1.5 - 3 = 0.
  expect(score?.logit).toBeCloseTo(0, 5);
  expect(score?.toxicity).toBeCloseTo(0.5, 5);
  expect(score?.attributes).toEqual({ TOXICITY: score?.toxicity });
});

test("a bad sentence counts more than its share of a long text", async () => {
  write("you rotten scoundrel", 1);
  const model = await loadLinearClassifier(folder);
  const kind = "The weather was lovely on Sunday. We went for a long walk by the river.";
  const [alone, among, run] = await model.score([
    "You rotten scoundrel, you!",
    `${kind} You rotten scoundrel, you! ${kind}`,
    `${kind} You rotten scoundrel, you! ${kind}`.replace(/[.!]/g, ""),
  ]);
  expect(among?.logit).toBeLessThan(alone?.logit ?? Number.NaN);
  expect(among?.logit).toBeGreaterThan((run?.logit ?? Number.NaN) + 1);
});

test("a text without a word or sign is clean, and no texts give no scores", async () => {
  write("a b", 1);
  const model = await loadLinearClassifier(folder);
  for (const { toxicity } of await model.score(["", " \n\t"])) expect(toxicity).toBeLessThan(0.05);
  expect(await model.score([])).toEqual([]);
});

test("weights are rounded to 127 steps of the largest", () => {
  expect(roundToInt8(Float32Array.of(0, 1.27, -0.634, 0.011))).toEqual({
    weights: Int8Array.of(0, 127, -63, 1),
    step: expect.closeTo(0.01, 6),
  });
  expect(roundToInt8(new Float32Array(2)).weights).toEqual(new Int8Array(2));
});

test("training separates what its examples separate, and repeats to the bit", () => {
  const example = (text: string, target: number) => ({ text, source: "s", target, weight: 1, harmless: target === 0 });
  const examples = ["rotten apples", "a rotten deal", "rotten to the core"].map((text) => example(text, 1));
  for (const text of ["fresh apples", "a fair deal", "sweet to the core"]) examples.push(example(text, 0));
  const options = { epochs: 20, learningRate: 0.3, joined: 0.3, sourcesWithOffset: new Set<string>() };
  const train = () => trainLinear(examples, buckets, options, seededRandom(3), () => {});
  const weights = train();
  const sum = (text: string) => linearFeatures(text, buckets).reduce((total, b) => total + (weights[b] ?? 0), 0);
  expect(sum("a rotten core")).toBeGreaterThan(sum("a fair core") + 1);
  expect(train()).toEqual(weights);
});

test("a folder that is damaged is refused by file and tensor", async () => {
  write("a b", 1);
  const configPath = join(folder, "config.json");
  const config = readFileSync(configPath, "utf8");
  writeFileSync(configPath, config.replace('"buckets": 4096', '"buckets": 8192'));
  await expect(loadRewardModel(folder)).rejects.toThrow(
    /model\.safetensors: expected an I8 tensor weight \[8192\] by config\.json, got I8 \[4096\]/,
  );
  writeFileSync(configPath, config.replace('"featureVersion": 1', '"featureVersion": 9'));
  await expect(loadRewardModel(folder)).rejects.toThrow(/config\.json: expected featureVersion 1, got 9/);
  writeFileSync(configPath, config);
  const path = join(folder, "model.safetensors");
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  writeFileSync(path, bytes);
  await expect(loadRewardModel(folder)).rejects.toThrow(/expected sha256 [0-9a-f]+ by config\.json/);
});
