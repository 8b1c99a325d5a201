/** Against Hugging Face transformers: test/fixtures/tiny-llama, made by scripts/fixtures/tiny-llama.py. */
import { describe, expect, it } from "vitest";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { gradients } from "../graph/autodiff.ts";
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { createSession, type Feeds, floats } from "../runtime/session.ts";
import { rememberWeights } from "./architecture.ts";
import { entropy, scoringExpressions } from "./scoring-graph.ts";
import {
  meanLoss,
  relativeDifference,
  scoringFeeds,
  tinyCheckpoint,
  tinyGradients,
  tinyReference,
} from "./tiny-llama-fixture.ts";

/** Weights as inputs, so that gradients by them can be asked for. */
function weightInputs({ architecture, weights }: Checkpoint) {
  const weight = rememberWeights((name, shape) => ops.input(name, shape));
  const feeds: Record<string, Feeds[string]> = {};
  for (const [name, shape] of architecture.parameters) {
    feeds[name] = { data: weights.get(name) ?? new Float32Array(0), shape };
  }
  return { weight, feeds };
}

for (const name of ["tied", "untied"] as const) {
  describe(`Llama with ${name} embeddings`, () => {
    const checkpoint = tinyCheckpoint(name);
    const { architecture } = checkpoint;
    const reference = tinyReference(name);
    const vocabulary = architecture.vocabularySize;

    it("gives the logits of transformers within 1e-4 at every place of a batch", async () => {
      const { weight, feeds } = weightInputs(checkpoint);
      const { logits } = scoringExpressions(architecture, { weight });
      const session = await createSession({ logits }, { threads: 1 });
      const { targets: _, ...scoring } = scoringFeeds(reference.tokens);
      const places = reference.tokens.flat().map((_token, place) => BigInt(place));
      const result = await session.run({
        ...feeds,
        ...scoring,
        places: { data: BigInt64Array.from(places), shape: [places.length] },
      });
      const found = floats(result.logits);
      expect(found).toHaveLength(reference.logits.length);
      const worst = reference.logits.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? 9))), 0);
      expect(worst).toBeLessThan(1e-4);
      await session.dispose();
    });

    it("continues a prompt greedily with the same 32 tokens", async () => {
      const { weight, feeds } = weightInputs(checkpoint);
      const { logits } = scoringExpressions(architecture, { weight });
      const session = await createSession({ logits }, { threads: 1 });
      const tokens = [...reference.prompt];
      while (tokens.length < reference.prompt.length + 32) {
        const { targets: _, ...scoring } = scoringFeeds([tokens]);
        const last = { data: BigInt64Array.of(BigInt(tokens.length - 1)), shape: [1] };
        const row = floats((await session.run({ ...feeds, ...scoring, places: last })).logits);
        expect(row).toHaveLength(vocabulary);
        tokens.push(row.indexOf(Math.max(...row)));
      }
      expect(tokens.slice(reference.prompt.length)).toEqual(reference.greedy);
      await session.dispose();
    });

    it("gives the loss of transformers and PyTorch's gradients of all weights within 1e-3", async () => {
      const { weight, feeds } = weightInputs(checkpoint);
      const scoring = scoringFeeds(reference.tokens, reference.labels);
      const { logProbs } = scoringExpressions(architecture, { weight });
      const loss = meanLoss(logProbs, scoring.targets?.data.length ?? 0);
      const names = [...architecture.parameters.keys()];
      const found = gradients(
        loss,
        names.map((parameter) => weight(parameter, architecture.parameters.get(parameter) ?? [])),
      );
      const outputs = Object.fromEntries(names.map((parameter, i) => [`d ${parameter}`, found[i] as Tensor]));
      const session = await createSession<string>({ loss, ...outputs }, { threads: 1 });
      const result = await session.run({ ...feeds, ...scoring });
      expect(floats(result.loss as Feeds[string])[0]).toBeCloseTo(reference.loss, 5);
      const expected = tinyGradients(name);
      expect([...expected.keys()].sort()).toEqual([...names].sort());
      for (const [parameter, gradient] of expected) {
        const difference = relativeDifference(floats(result[`d ${parameter}`] as Feeds[string]), gradient);
        expect(difference, parameter).toBeLessThan(1e-3);
      }
      await session.dispose();
    });
  });
}

describe("scoringExpressions", () => {
  it("gives log-probs, entropy and hidden states that belong to the logits", async () => {
    const checkpoint = tinyCheckpoint("untied");
    const reference = tinyReference("untied");
    const { weight, feeds } = weightInputs(checkpoint);
    const { logProbs, logits, hidden } = scoringExpressions(checkpoint.architecture, { weight });
    const session = await createSession({ logProbs, hidden, entropy: entropy(logits) }, { threads: 1 });
    const result = await session.run({ ...feeds, ...scoringFeeds(reference.tokens) });
    // By hand from the recorded logits.
    const [row, place] = [1, 6];
    const start = (row * 12 + place) * 128;
    const recorded = reference.logits.slice(start, start + 128);
    const total = Math.log(recorded.reduce((sum, value) => sum + Math.exp(value), 0));
    const distribution = recorded.map((value) => value - total);
    const index = row * 11 + place;
    const target = reference.tokens[row]?.[place + 1] ?? 0;
    expect(floats(result.logProbs)[index]).toBeCloseTo(distribution[target] ?? 0, 4);
    const expected = -distribution.reduce((sum, value) => sum + Math.exp(value) * value, 0);
    expect(floats(result.entropy)[index]).toBeCloseTo(expected, 4);
    expect(result.hidden.shape).toEqual([22, 32]);
    await session.dispose();
  });

  it("is not touched by what stands to the right: padding needs no mask of its own", async () => {
    const checkpoint = tinyCheckpoint("untied");
    const [first = [], second = []] = tinyReference("untied").tokens;
    const { weight, feeds } = weightInputs(checkpoint);
    const { logProbs } = scoringExpressions(checkpoint.architecture, { weight });
    const session = await createSession({ logProbs }, { threads: 1 });
    const score = async (rows: number[][]) =>
      floats((await session.run({ ...feeds, ...scoringFeeds(rows) })).logProbs).slice(0, 5);
    const alone = await score([first.slice(0, 6)]);
    const padded = await score([[...first.slice(0, 6), 0, 0, 0, 0, 0, 0], second]);
    for (const [i, value] of alone.entries()) expect(padded[i]).toBeCloseTo(value, 5);
    await session.dispose();
  });
});
