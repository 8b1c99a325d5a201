import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { llama } from "../../engine/architectures/llama.ts";
import { PretrainOptimizer } from "../pretrain/pretrain-optimizer.ts";
import { createOrthogonalizer, nesterov } from "./muon.ts";

interface Recorded {
  muon: {
    rows: number;
    columns: number;
    lr: number;
    weightDecay: number;
    initial: number[];
    gradients: number[][];
    after: number[][];
  }[];
  orthogonalized: { rows: number; columns: number; matrix: number[]; result: number[] }[];
}

const fixture = new URL("../../test/fixtures/optimizers.json", import.meta.url);
const recorded = JSON.parse(readFileSync(fixture, "utf8")) as Recorded;

function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs((actual[i] as number) - value)), 0);
  expect(worst).toBeLessThan(tolerance);
}

describe("createOrthogonalizer", () => {
  for (const { rows, columns, matrix, result } of recorded.orthogonalized) {
    it(`agrees with torch.optim.Muon's Newton-Schulz on a ${rows} by ${columns} matrix`, async () => {
      const orthogonalizer = await createOrthogonalizer(rows, columns, 1);
      expectClose(await orthogonalizer.run(Float32Array.from(matrix), 1), result, 1e-4);
      await orthogonalizer.dispose();
    });
  }

  it("treats each matrix of a stack by itself, and leaves zeros at zero", async () => {
    const { rows, columns, matrix, result } = recorded.orthogonalized[1] as Recorded["orthogonalized"][number];
    const orthogonalizer = await createOrthogonalizer(rows, columns, 1);
    const zeros = new Array<number>(rows * columns).fill(0);
    const stacked = await orthogonalizer.run(Float32Array.from([...zeros, ...matrix, ...zeros]), 3);
    expectClose(stacked, [...zeros, ...result, ...zeros], 1e-4);
    await orthogonalizer.dispose();
  });
});

describe("nesterov", () => {
  it("averages gradients and looks one step ahead", () => {
    const buffer = Float32Array.of(4);
    const out = new Float32Array(2);
    nesterov(Float32Array.of(8), buffer, 0.75, out, 1);
    // m = 0.75 x 4 + 0.25 x 8 = 5, direction = 0.25 x 8 + 0.75 x 5 = 5.75
    expect([...buffer, ...out]).toEqual([5, 0, 5.75]);
  });
});

describe("PretrainOptimizer", () => {
  for (const { rows, columns, lr, weightDecay, initial, gradients, after } of recorded.muon) {
    it(`moves a ${rows} by ${columns} matrix as torch.optim.Muon does`, async () => {
      // A model whose feed-forward matrices have that shape: gate is [inner, hidden], down [hidden, inner].
      const [hiddenSize, intermediateSize] = rows >= columns ? [columns, rows] : [rows, columns];
      const model = llama({
        vocabularySize: 3,
        hiddenSize,
        intermediateSize,
        layers: 1,
        heads: 2,
        keyValueHeads: 2,
        headSize: 2,
        contextLength: 4,
        rmsNormEpsilon: 1e-5,
        ropeTheta: 10_000,
        tiedEmbeddings: true,
      });
      const name = `model.layers.0.mlp.${rows >= columns ? "gate_proj" : "down_proj"}.weight`;
      expect(model.parameters.get(name)).toEqual([rows, columns]);
      const zeros = () =>
        [...model.parameters].map(([key, shape]) => [key, new Float32Array(shape.reduce((a, b) => a * b, 1))] as const);
      const weights = new Map(zeros()).set(name, Float32Array.from(initial));
      const optimizer = await PretrainOptimizer.create(model, 1);
      const rates = { matrix: lr, embedding: 0, head: 0, norm: 0, weightDecay };
      for (const [index, gradient] of gradients.entries()) {
        const all = new Map(zeros()).set(name, Float32Array.from(gradient));
        await optimizer.step(weights, all, index + 1, 1, rates);
        expectClose(weights.get(name) ?? [], after[index] ?? [], 2e-5);
      }
      await optimizer.dispose();
    });
  }
});
