/** Adapters trained on a quantized base: gradients point where those of the base itself do, and the loss falls. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { freshAdapter } from "../engine/lora/adapter.ts";
import { openBaseModel } from "../engine/open-base-model.ts";
import { matricesOf } from "./lora-graph.ts";
import { seededRandom } from "./pretrain/shuffle.ts";
import { writeSampleModel } from "./sample-model.ts";
import { createSftGraph } from "./sft/sft-graph.ts";

const folder = mkdtempSync(join(tmpdir(), "quantized-training-"));
writeSampleModel(folder);
afterAll(() => rmSync(folder, { recursive: true }));

const shape = { rank: 4, alpha: 4, targetModules: ["q_proj", "v_proj", "down_proj"], rankStabilized: false };
const batch = [{ promptTokens: [1, 2, 3], replyTokens: [4, 5, 6, 7, 8] }];

async function firstGradient(quantization: "none" | "int8" | "int4", roundGradients = false) {
  const base = await openBaseModel(folder, { quantization, roundGradients });
  const adapter = freshAdapter(base.architecture, shape, seededRandom(1));
  const graph = await createSftGraph(base, shape, { threads: 1 });
  const before = await graph.run(adapter, batch, 5);
  for (const [name, matrix] of matricesOf(adapter)) {
    const gradient = before.gradients.get(name) ?? [];
    for (const [i, slope] of gradient.entries()) matrix[i] = (matrix[i] as number) - 0.5 * slope;
  }
  const after = await graph.run(adapter, batch, 5);
  await graph.dispose();
  return { loss: before.loss, lossAfter: after.loss, gradient: [...before.gradients.values()].flatMap((g) => [...g]) };
}

describe("training on a quantized base", () => {
  for (const [precision, agreement, rounded] of [
    ["int8", 0.99, false],
    ["int8", 0.99, true],
    ["int4", 0.9, false],
  ] as const) {
    it(`${precision}${rounded ? ", gradients rounded" : ""}: descends along nearly the same gradient`, async () => {
      const [exact, quantized] = [await firstGradient("none"), await firstGradient(precision, rounded)];
      const dot = (a: readonly number[], b: readonly number[]) =>
        a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
      const norms = Math.sqrt(dot(exact.gradient, exact.gradient) * dot(quantized.gradient, quantized.gradient));
      expect(dot(exact.gradient, quantized.gradient) / norms).toBeGreaterThan(agreement);
      expect(quantized.lossAfter).toBeLessThan(quantized.loss);
    });
  }
});
