/** Against PEFT: test/fixtures/tiny-llama/untied/{lora,rslora}, made by scripts/fixtures/tiny-llama.py. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { rememberWeights } from "../architectures/architecture.ts";
import { scoringExpressions } from "../architectures/scoring-graph.ts";
import {
  meanLoss,
  relativeDifference,
  scoringFeeds,
  tinyCheckpoint,
  tinyGradients,
  tinyLlamaFolder,
  tinyReference,
} from "../architectures/tiny-llama-fixture.ts";
import { gradients } from "../graph/autodiff.ts";
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { createSession, type Feeds, floats } from "../runtime/session.ts";
import { everyTarget } from "./adapter.ts";
import { loraFeeds, trainableLora } from "./lora-context.ts";
import { readPeftAdapter } from "./peft.ts";

const checkpoint = tinyCheckpoint("untied");
const { architecture, weights } = checkpoint;
const buffers = Object.fromEntries(
  [...weights].map(([name, data]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
);
const frozen = {
  threads: 1,
  buffers,
  locate: (name: string) => ({ file: name, offset: 0, length: buffers[name]?.byteLength ?? 0 }),
};

for (const name of ["untied/lora", "untied/rslora"] as const) {
  describe(`an adapter on all seven modules (${name})`, () => {
    const adapter = readPeftAdapter(join(tinyLlamaFolder, name), architecture);
    const reference = tinyReference(name);

    it("gives PEFT's logits within 1e-4", async () => {
      const { adapt } = trainableLora(architecture, adapter.shape);
      const weight = rememberWeights((parameter, shape) => ops.weight(parameter, shape));
      const { logits } = scoringExpressions(architecture, { weight, adapt });
      const session = await createSession({ logits }, frozen);
      const { targets: _, ...scoring } = scoringFeeds(reference.tokens);
      const places = BigInt64Array.from(reference.tokens.flat(), (_token, place) => BigInt(place));
      const result = await session.run({
        ...scoring,
        places: { data: places, shape: [places.length] },
        ...loraFeeds(architecture, adapter),
      });
      const found = floats(result.logits);
      const worst = reference.logits.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? 9))), 0);
      expect(worst).toBeLessThan(1e-4);
      await session.dispose();
    });

    it("gives PEFT's loss and gradients of every matrix within 1e-3", async () => {
      const lora = trainableLora(architecture, adapter.shape);
      const weight = rememberWeights((parameter, shape) => ops.weight(parameter, shape));
      const scoring = scoringFeeds(reference.tokens, reference.labels);
      const { logProbs } = scoringExpressions(architecture, { weight, adapt: lora.adapt });
      const loss = meanLoss(logProbs, scoring.targets?.data.length ?? 0);
      const found = gradients(
        loss,
        lora.parameters.map(({ tensor }) => tensor),
      );
      const outputs = Object.fromEntries(found.map((gradient, index): [string, Tensor] => [`d${index}`, gradient]));
      const session = await createSession<string>({ loss, ...outputs }, frozen);
      const result = await session.run({ ...scoring, ...loraFeeds(architecture, adapter) });
      expect(floats(result.loss as Feeds[string])[0]).toBeCloseTo(reference.loss, 5);
      const expected = tinyGradients(name);
      expect(expected.size).toBe(lora.parameters.length);
      for (const [index, { module, matrix }] of lora.parameters.entries()) {
        const parameter = `base_model.model.${module}.lora_${matrix.toUpperCase()}.weight`;
        const gradient = floats(result[`d${index}`] as Feeds[string]);
        expect(relativeDifference(gradient, expected.get(parameter) ?? new Float32Array(0)), parameter).toBeLessThan(
          1e-3,
        );
      }
      await session.dispose();
    });
  });
}

describe("everyTarget", () => {
  it("names each kind of linear layer once", () => {
    const seven = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    expect(everyTarget(architecture)).toEqual(seven);
  });
});

describe("trainableLora", () => {
  it("leaves modules alone that the adapter does not target", () => {
    const shape = { rank: 2, alpha: 4, targetModules: ["v_proj"], rankStabilized: false };
    const lora = trainableLora(architecture, shape);
    expect(lora.parameters.map(({ module, matrix }) => `${module}.${matrix}`)).toEqual([
      "model.layers.0.self_attn.v_proj.a",
      "model.layers.0.self_attn.v_proj.b",
      "model.layers.1.self_attn.v_proj.a",
      "model.layers.1.self_attn.v_proj.b",
    ]);
    expect(lora.adapt("model.layers.0.self_attn.q_proj", ops.input("x", [1, 1, 32]), 32, 32)).toBeNull();
  });

  it("names the module whose matrices an adapter lacks", () => {
    const shape = { rank: 2, alpha: 4, targetModules: ["v_proj"], rankStabilized: false };
    expect(() => loraFeeds(architecture, { shape, matrices: new Map() })).toThrow(
      "the adapter has no matrices for model.layers.0.self_attn.v_proj",
    );
  });
});
