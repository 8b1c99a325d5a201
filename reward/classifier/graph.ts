/** The classifier as a graph: raw outputs of a batch of windows. */
import {
  add,
  concat,
  gatherRows,
  input,
  matmul,
  maximum,
  mul,
  reduceSum,
  reshape,
  scalar,
  scatterAddRows,
  slice,
  transposeLast,
  weight,
  zeros,
} from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import type { Feeds } from "../../engine/runtime/session.ts";
import type { TextFeatures } from "../text/features.ts";
import { type ClassifierShape, type ParameterName, parameterShapes } from "./config.ts";

/**
 * For a window of words x_1..x_T (zero rows around them), with wide buckets B:
 *
 *     x_t = sum of the word's bucket embeddings / sqrt(their number)
 *     f   = max_t relu(C [x_(t-1); x_t; x_(t+1)] + c)
 *     h   = relu(H [f; mean_t x_t] + d)
 *     raw = O h + o + sum of wide rows of B / sqrt(|B|)
 *
 * After wide & deep learning (Cheng et al. 2016), fastText's subwords (Bojanowski et al. 2017) and convolution over
 * words with a maximum over time (Kim 2014).
 *
 * @returns `raw` [batch, heads]
 */
export function classifierGraph(shape: ClassifierShape): { raw: Tensor } {
  const { windowWords: time, embeddingSize, filters, heads } = shape;
  const parameter = (name: ParameterName) => weight(name, parameterShapes(shape).get(name) ?? []);

  const wordScale = input("wordScale", ["batch", time, 1]); // 1 / sqrt(subwords), 0 behind the end
  const wordMask = input("wordMask", ["batch", time, 1]); // 1 for a word, 0 behind the end
  const meanScale = input("meanScale", ["batch", 1]); // 1 / words
  const wideScale = input("wideScale", ["batch", 1]); // 1 / sqrt(buckets)
  const subwords = gatherRows(parameter("embedding.weight"), input("subwords", ["subwords"], "int64"));
  const summed = scatterAddRows(
    zeros([`batch*${time}`, embeddingSize]),
    input("subwordWord", ["subwords"], "int64"),
    subwords,
  );
  const words = mul(reshape(summed, ["batch", time, embeddingSize]), wordScale);

  const edge = zeros(["batch", 1, embeddingSize]);
  const padded = concat([edge, words, edge], 1);
  const neighbours = concat(
    [0, 1, 2].map((start) => slice(padded, 1, start, time)),
    2,
  ); // [batch, time, 3 e]
  const convolved = add(
    matmul(neighbours, transposeLast(parameter("convolution.weight"))),
    parameter("convolution.bias"),
  );
  const peaks = maximumOverTime(mul(relu(convolved), wordMask), time);
  const mean = mul(reduceSum(words, [1]), meanScale);
  const pooled = concat([reshape(peaks, ["batch", filters]), mean], 1);
  const hidden = relu(add(matmul(pooled, transposeLast(parameter("hidden.weight"))), parameter("hidden.bias")));
  const deep = add(matmul(hidden, transposeLast(parameter("output.weight"))), parameter("output.bias"));

  const wide = scatterAddRows(
    zeros(["batch", heads.length]),
    input("wideRow", ["wideBuckets"], "int64"),
    gatherRows(parameter("wide.weight"), input("wide", ["wideBuckets"], "int64")),
  );
  return { raw: add(deep, mul(wide, wideScale)) };
}

const relu = (x: Tensor) => maximum(x, scalar(0));

/** Halves the time axis until one place is left; the window's length is a power of two. */
function maximumOverTime(x: Tensor, time: number): Tensor {
  let result = x;
  for (let half = time / 2; half >= 1; half /= 2) {
    result = maximum(slice(result, 1, 0, half), slice(result, 1, half, half));
  }
  return result;
}

/** The inputs of `classifierGraph` for windows that hold at least one word each. */
export function classifierFeeds(windows: readonly TextFeatures[], shape: ClassifierShape): Feeds {
  const batch = windows.length;
  const time = shape.windowWords;
  const wordScale = new Float32Array(batch * time);
  const wordMask = new Float32Array(batch * time);
  const meanScale = new Float32Array(batch);
  const wideScale = new Float32Array(batch);
  const count = (of: (window: TextFeatures) => number) => windows.reduce((sum, window) => sum + of(window), 0);
  const subwords = new Int32Array(count((window) => window.subwords.length));
  const subwordWord = new Int32Array(subwords.length);
  const wide = new Int32Array(count((window) => window.wide.length));
  const wideRow = new Int32Array(wide.length);
  let subwordEnd = 0;
  let wideEnd = 0;
  for (const [row, window] of windows.entries()) {
    const words = window.offsets.length - 1;
    meanScale[row] = 1 / words;
    wideScale[row] = 1 / Math.sqrt(window.wide.length);
    wide.set(window.wide, wideEnd);
    wideRow.fill(row, wideEnd, wideEnd + window.wide.length);
    wideEnd += window.wide.length;
    subwords.set(window.subwords, subwordEnd);
    for (let t = 0; t < words; t++) {
      const from = window.offsets[t] as number;
      const to = window.offsets[t + 1] as number;
      wordMask[row * time + t] = 1;
      wordScale[row * time + t] = 1 / Math.sqrt(to - from);
      subwordWord.fill(row * time + t, subwordEnd + from, subwordEnd + to);
    }
    subwordEnd += window.subwords.length;
  }
  return {
    wordScale: { data: wordScale, shape: [batch, time, 1] },
    wordMask: { data: wordMask, shape: [batch, time, 1] },
    meanScale: { data: meanScale, shape: [batch, 1] },
    wideScale: { data: wideScale, shape: [batch, 1] },
    subwords: { data: widened(subwords), shape: [subwords.length] },
    subwordWord: { data: widened(subwordWord), shape: [subwords.length] },
    wide: { data: widened(wide), shape: [wide.length] },
    wideRow: { data: widened(wideRow), shape: [wide.length] },
  };
}

/** int32 to int64 by their words, little-endian as the runtime wants them: BigInt() for each value would be slow. */
function widened(values: Int32Array): BigInt64Array {
  const wide = new BigInt64Array(values.length);
  const halves = new Int32Array(wide.buffer);
  for (let i = 0; i < values.length; i++) halves[2 * i] = values[i] as number;
  return wide;
}
