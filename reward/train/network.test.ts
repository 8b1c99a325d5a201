import { expect, test } from "vitest";
import { createSession, floats } from "../../engine/runtime/session.ts";
import type { ClassifierShape } from "../classifier/config.ts";
import { classifierFeeds, classifierGraph } from "../classifier/graph.ts";
import { textFeatures } from "../text/features.ts";
import { initialParameters, Network, type Parameters } from "./network.ts";
import { seededRandom } from "./random.ts";

const shape: ClassifierShape = {
  wideBuckets: 64,
  embeddingBuckets: 32,
  windowWords: 8,
  embeddingSize: 4,
  filters: 8,
  hiddenSize: 4,
  heads: ["TOXICITY", "INSULT"],
};

function tinyNetwork(): Network {
  const random = seededRandom(5);
  const parameters = initialParameters(shape, random);
  for (const values of Object.values(parameters)) {
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + 0.2 * random.normal();
  }
  return new Network(shape, parameters);
}

const texts = ["You are a very kind person", "No", "one two three four five six seven eight nine ten"];
const windows = texts.flatMap((text) => textFeatures(text, shape));

test("the plain loops and the engine's graph compute the same outputs", async () => {
  const network = tinyNetwork();
  const expected = windows.flatMap((window) => [...network.forward(window)]);
  const session = await createSession(classifierGraph(shape), {
    buffers: Object.fromEntries(
      Object.entries(network.parameters).map(([name, data]) => [name, new Uint8Array(data.buffer)]),
    ),
    locate: (name) => ({
      file: name,
      offset: 0,
      length: network.parameters[name as keyof Parameters].byteLength,
    }),
  });
  const raw = floats((await session.run(classifierFeeds(windows, shape))).raw);
  await session.dispose();
  expect(raw).toHaveLength(windows.length * 2);
  for (const [i, value] of raw.entries()) expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-4);
});

test("gradients agree with central differences", () => {
  const network = tinyNetwork();
  const window = windows[0] as (typeof windows)[number];
  const words = window.offsets.length - 1;
  // The loss is 0.7 raw_0 - 0.4 raw_1, whose derivative by the outputs is plain.
  const rawGradient = Float32Array.of(0.7, -0.4);
  const loss = () => {
    const raw = network.forward(window);
    return 0.7 * (raw[0] as number) - 0.4 * (raw[1] as number);
  };
  loss();
  network.backward(words, rawGradient);

  const difference = (values: Float32Array, i: number) => {
    const before = values[i] as number;
    values[i] = before + 1e-2;
    const above = loss();
    values[i] = before - 1e-2;
    const below = loss();
    values[i] = before;
    return (above - below) / 2e-2;
  };
  for (const [name, gradient] of Object.entries(network.gradients.dense)) {
    const values = network.parameters[name as keyof Parameters];
    for (let i = 0; i < values.length; i += 3) {
      expect(Math.abs(difference(values, i) - (gradient[i] as number)), `${name}[${i}]`).toBeLessThan(5e-3);
    }
  }

  // A row of the embedding table receives each word's gradient, scaled as the word's sum is.
  const { embeddingSize } = shape;
  const row = window.subwords[0] as number;
  const expected = new Float32Array(embeddingSize);
  for (let t = 0; t < words; t++) {
    const own = window.subwords.subarray(window.offsets[t], window.offsets[t + 1]);
    const uses = own.filter((bucket) => bucket === row).length;
    for (let d = 0; d < embeddingSize; d++) {
      const gradient = network.gradients.words[(t + 1) * embeddingSize + d] as number;
      expected[d] = (expected[d] as number) + (uses * gradient) / Math.sqrt(own.length);
    }
  }
  for (let d = 0; d < embeddingSize; d++) {
    const measured = difference(network.parameters["embedding.weight"], row * embeddingSize + d);
    expect(Math.abs(measured - (expected[d] as number))).toBeLessThan(5e-3);
  }
});
