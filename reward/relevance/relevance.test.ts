import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadEmbeddedSimilarity } from "./embedded-similarity.ts";
import { stem } from "./stem.ts";
import { readStemTable, type StemTable, writeStemTable } from "./stem-table.ts";
import { similarity, textVector } from "./text-vector.ts";

/** "cat" and "dog" stand among like words, "law" stands alone. */
const table: StemTable = {
  rows: new Map([
    ["cat", 0],
    ["dog", 1],
    ["law", 2],
    ["the", 3],
  ]),
  idf: Float32Array.of(2, 2, 2, 0),
  unknownIdf: 4,
  vectors: Float32Array.of(1, 0, 0.6, 0.8, 0, 1, 1, 0),
  dimensions: 2,
};
const between = (a: string, b: string) => similarity(textVector(a, table), textVector(b, table));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-relevance-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("similarity", () => {
  it("is two thirds by shared stems and one third by kindred ones", () => {
    expect(between("cats", "the cat")).toBeCloseTo(1, 9);
    expect(between("cat", "dog")).toBeCloseTo((0 + 0.5 * 0.6) / 1.5, 6);
    expect(between("cat", "law")).toBeCloseTo(0, 9);
    // One of two equally rare stems is shared: 1 / sqrt 2; the mean (1.6, 0.8) has the length 1.789.
    expect(between("cat", "cat dog")).toBeCloseTo((Math.SQRT1_2 + (0.5 * 1.6) / 1.78885) / 1.5, 4);
  });

  it("weighs a stem by how rare it is, the unknown most", () => {
    // "zebra" weighs 4 beside the 2 of "cat": 4 / sqrt 20 is shared.
    expect(between("zebra", "zebra cat")).toBeCloseTo(4 / Math.sqrt(20) / 1.5, 6);
    expect(between("the", "the")).toBe(0);
  });

  it("is 0 for a text without words", () => {
    expect(between("", "cat")).toBe(0);
    expect(between("cat", "?!")).toBe(0);
  });
});

describe("stem", () => {
  it("takes the same ending off what belongs together", () => {
    for (const words of [
      ["immigrant", "immigrants", "immigrant's"],
      ["hate", "hating", "hated", "hates"],
      ["nations", "nation"],
    ]) {
      expect(new Set(words.map(stem)).size).toBe(1);
    }
    expect(["is", "was", "us", "bed"].map(stem)).toEqual(["is", "was", "us", "bed"]);
  });
});

describe("a folder", () => {
  it("holds a table, whose hash is part of the version", async () => {
    writeStemTable(folder, table);
    expect(readStemTable(folder).table.rows).toEqual(table.rows);
    const { similarity: model } = loadEmbeddedSimilarity(folder);
    const [same, kindred] = await model.ofPairs([
      { prompt: "cat", reply: "cats" },
      { prompt: "cat", reply: "dog" },
    ]);
    expect(same).toBeCloseTo(1, 9);
    expect(kindred).toBeCloseTo(0.2, 2); // 0.6 is stored in 8 bits of mantissa
    writeStemTable(folder, { ...table, idf: Float32Array.of(2, 2, 2, 0.5) });
    expect(loadEmbeddedSimilarity(folder).similarity.version).not.toBe(model.version);
  });

  it("that is damaged is refused by name", () => {
    expect(() => loadEmbeddedSimilarity(folder)).toThrow(join(folder, "config.json"));
    writeStemTable(folder, table);
    const weights = join(folder, "model.safetensors");
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(weights, bytes);
    expect(() => loadEmbeddedSimilarity(folder)).toThrow(`${weights}: expected sha256`);
  });
});
