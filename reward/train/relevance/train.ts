/**
 * Makes the table of stems that the embedded relevance term goes by, and writes its folder:
 *
 *     node reward/train/relevance/train.ts --data DIR --out models/relevance-small
 *
 * DIR holds the folders named in datasets/. Of the counter-narratives only the training part is read. A run takes some
 * minutes of one core and 1 GB, and always gives the same folder.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadCounterNarratives } from "../../../datasets/counter-narratives.ts";
import { loadEverydayFolder } from "../../../datasets/dialogue.ts";
import { hashFraction } from "../../../datasets/split.ts";
import { type StemTable, writeStemTable } from "../../relevance/stem-table.ts";
import { stemsOf } from "../../relevance/text-vector.ts";
import { positiveMutualInformation } from "./co-occurrence.ts";
import { largestEigenvectors } from "./eigen.ts";

/** How often each turn of the counter-narratives is read beside the share of everyday turns: they are what is judged. */
const repeats = 4;
const everydayShare = 0.4;
const dimensions = 128;
const stemsKept = 8000;
/** Texts of which the direction that all share is found, to be taken out (Arora et al. 2017). */
const textsForCommonDirection = 4000;

const { values: flags } = parseArgs({ options: { data: { type: "string" }, out: { type: "string" } } });
if (flags.data === undefined || flags.out === undefined) throw new Error("usage: train.ts --data DIR --out FOLDER");

const counterNarratives = new Set(
  loadCounterNarratives(flags.data)
    .filter(({ split }) => split === "train")
    .flatMap(({ turns }) => turns.map(({ content }) => content)),
);
const everyday = loadEverydayFolder(join(flags.data, "dialogue"))
  .filter(({ source }) => source !== "sgd")
  .flatMap(({ turns }) => turns.map(({ content }) => content))
  .filter((text) => hashFraction(text) < everydayShare);
const countered = [...counterNarratives].map(stemsOf);
const texts = [...countered, ...everyday.map(stemsOf)];
console.log(`${countered.length} turns of counter-narratives, ${everyday.length} everyday turns`);

const frequencyOf = (documents: readonly string[][]): Map<string, number> => {
  const frequency = new Map<string, number>();
  for (const stems of documents) {
    for (const stemmed of new Set(stems)) frequency.set(stemmed, (frequency.get(stemmed) ?? 0) + 1);
  }
  return frequency;
};
const kept = [...frequencyOf(texts)]
  .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
  .slice(0, stemsKept)
  .map(([stemmed]) => stemmed);
const rows = new Map(kept.map((stemmed, row) => [stemmed, row]));
// How much a stem tells is asked of both kinds of text alike.
const documents = texts.slice(0, 2 * countered.length);
const frequency = frequencyOf(documents);
const unknownIdf = Math.log(documents.length + 1);
const idf = Float32Array.from(kept, (stemmed) => unknownIdf - Math.log((frequency.get(stemmed) ?? 0) + 1));

const asRows = (stems: readonly string[]) => stems.map((stemmed) => rows.get(stemmed) ?? -1);
const read = texts.map(asRows);
const repeated = Array.from({ length: repeats - 1 }, () => read.slice(0, countered.length)).flat();
const information = positiveMutualInformation([...read, ...repeated], kept.length);
const { values, vectors } = largestEigenvectors(information, kept.length, dimensions);
console.log(`eigenvalues ${values[0]?.toFixed(1)} to ${values.at(-1)?.toFixed(1)}`);

const table: StemTable = {
  rows,
  idf,
  unknownIdf,
  vectors: unitRows(
    Float32Array.from(vectors, (value, at) => value * Math.abs(values[at % dimensions] as number) ** 0.5),
  ),
  dimensions,
};
removeCommonDirection(table);
writeStemTable(flags.out, table);

/** Each row of [rows, dimensions] to length 1. */
function unitRows(matrix: Float32Array): Float32Array {
  for (let at = 0; at < matrix.length; at += dimensions) {
    const row = matrix.subarray(at, at + dimensions);
    const length = Math.hypot(...row) || 1;
    for (const [i, value] of row.entries()) row[i] = value / length;
  }
  return matrix;
}

/** Takes the first principal direction of texts' vectors out of every stem's. */
function removeCommonDirection({ vectors }: StemTable): void {
  const step = Math.max(1, Math.floor(countered.length / textsForCommonDirection));
  const second = new Float32Array(dimensions * dimensions);
  for (let t = 0; t < countered.length; t += step) {
    const sum = new Float64Array(dimensions);
    for (const row of read[t] ?? []) {
      if (row < 0) continue;
      for (let i = 0; i < dimensions; i++) {
        sum[i] = (sum[i] as number) + (idf[row] as number) * (vectors[row * dimensions + i] as number);
      }
    }
    for (let i = 0; i < dimensions; i++) {
      for (let j = 0; j < dimensions; j++) {
        second[i * dimensions + j] = (second[i * dimensions + j] as number) + (sum[i] as number) * (sum[j] as number);
      }
    }
  }
  const common = largestEigenvectors(second, dimensions, 1).vectors;
  for (let at = 0; at < vectors.length; at += dimensions) {
    const row = vectors.subarray(at, at + dimensions);
    const along = row.reduce((sum, value, i) => sum + value * (common[i] as number), 0);
    for (const [i, value] of row.entries()) row[i] = value - along * (common[i] as number);
  }
}
