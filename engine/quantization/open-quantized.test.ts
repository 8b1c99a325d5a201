/** Quantized checkpoints against what dequantizing their file and multiplying by hand gives. */
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LinearModule } from "../architectures/architecture.ts";
import { scoringExpressions } from "../architectures/scoring-graph.ts";
import { scoringFeeds, tinyCheckpoint, tinyLlamaFolder, tinyReference } from "../architectures/tiny-llama-fixture.ts";
import { decodeFloat16 } from "../checkpoint/float16.ts";
import { encodeSafetensors, openSafetensors } from "../checkpoint/safetensors.ts";
import { gradients } from "../graph/autodiff.ts";
import * as ops from "../graph/ops.ts";
import { createSession, floats } from "../runtime/session.ts";
import { openQuantized, type QuantizedModel } from "./open-quantized.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quantized-"));
  for (const name of ["config.json", "model.safetensors"]) {
    cpSync(join(tinyLlamaFolder, "untied", name), join(folder, name));
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

const precisions = ["int8", "int4"] as const;

/** W [output][input] of a module as the file has it. */
function dequantized({ quantizedFile: { path } }: QuantizedModel, module: LinearModule): number[][] {
  const bytes = readFileSync(path);
  const { tensors } = openSafetensors(path);
  const stored = (name: string) => {
    const { offset = 0, length = 0, shape = [] } = tensors.get(`${module.name}.weight:${name}`) ?? {};
    return { data: bytes.subarray(offset, offset + length), shape };
  };
  const { data, shape } = stored("values");
  const scales = new Float32Array(new Uint8Array(stored("scales").data).buffer);
  const isInt8 = shape.length === 2;
  return Array.from({ length: module.outputSize }, (_, output) =>
    Array.from({ length: module.inputSize }, (_, input) => {
      if (isInt8) return ((data[input * module.outputSize + output] ?? 0) - 128) * (scales[output] as number);
      const blocks = Math.ceil(module.inputSize / 32);
      const at = output * blocks * 32 + input;
      const level = ((data[at >> 1] ?? 0) >> (4 * (at & 1))) & 15;
      return (level - 8) * (scales[output * blocks + (input >> 5)] as number);
    }),
  );
}

describe("openQuantized", () => {
  for (const precision of precisions) {
    it(`${precision}: multiplies by the file's weights, forward and back`, async () => {
      const model = await openQuantized(folder, { precision });
      const module = model.architecture.linearModules[1] as LinearModule;
      const weight = dequantized(model, module);
      const x = ops.input("x", ["rows", module.inputSize]);
      const y = model.frozen().project?.(module, x);
      if (y === undefined || y === null) throw new Error(`${module.name} is not quantized`);
      const loss = ops.sumAll(ops.mul(y, ops.input("g", ["rows", module.outputSize])));
      const [gradient = loss] = gradients(loss, [x]);
      const session = await createSession({ y, gradient }, { threads: 1, ...model.source });
      // On the grid that activations are rounded to, so that nothing is lost: a largest value of 127 / 64 a block.
      const row = Array.from(
        { length: module.inputSize },
        (_, i) => (i % 32 === 0 ? 127 : ((i * 37) % 200) - 100) / 64,
      );
      const g = Array.from({ length: module.outputSize }, (_, i) => Math.cos(i));
      const found = await session.run({
        x: { data: Float32Array.from([...row, ...row.map((v) => -v)]), shape: [2, row.length] },
        g: { data: Float32Array.from([...g, ...g]), shape: [2, g.length] },
      });
      const dot = (a: readonly number[], b: readonly number[]) =>
        a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
      const expected = weight.map((weights) => dot(weights, row));
      const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 4));
      expect([...floats(found.y)]).toEqual(close([...expected, ...expected.map((value) => -value)]));
      const back = row.map((_, input) =>
        dot(
          weight.map((weights) => weights[input] as number),
          g,
        ),
      );
      expect([...floats(found.gradient)]).toEqual(close([...back, ...back]));
      const none = await session.run({
        x: { data: new Float32Array(0), shape: [0, row.length] },
        g: { data: new Float32Array(0), shape: [0, g.length] },
      });
      expect([none.y.shape, none.gradient.shape]).toEqual([
        [0, module.outputSize],
        [0, module.inputSize],
      ]);
      await session.dispose();
    });

    it(`${precision}: stays near the model it was made of`, async () => {
      const { tokens } = tinyReference("untied");
      const logProbsOf = async (model: Pick<QuantizedModel, "architecture" | "frozen" | "source">) => {
        const { logProbs } = scoringExpressions(model.architecture, model.frozen());
        const session = await createSession({ logProbs }, { threads: 1, ...model.source });
        const found = floats((await session.run(scoringFeeds(tokens))).logProbs);
        await session.dispose();
        return found;
      };
      const exact = await logProbsOf(tinyCheckpoint("untied"));
      const rounded = await logProbsOf(await openQuantized(folder, { precision }));
      const average = exact.reduce((sum, value) => sum + value, 0) / exact.length;
      const spread = Math.sqrt(exact.reduce((sum, value) => sum + (value - average) ** 2, 0) / exact.length);
      const error = Math.sqrt(exact.reduce((sum, v, i) => sum + (v - (rounded[i] as number)) ** 2, 0) / exact.length);
      expect(error / spread).toBeGreaterThan(0);
      expect(error / spread).toBeLessThan(precision === "int8" ? 0.08 : 0.25);
    });
  }

  it("keeps the source's hash and number of weights, and rows of tables in half precision", async () => {
    const model = await openQuantized(folder, { precision: "int8" });
    const { sha256, parameters, weights } = tinyCheckpoint("untied");
    expect(model).toMatchObject({ sha256, parameters, quantization: "int8" });
    const stored = openSafetensors(model.quantizedFile.path).tensors.get("model.embed_tokens.weight");
    const bytes = readFileSync(model.quantizedFile.path).subarray(stored?.offset, (stored?.offset ?? 0) + 8);
    const expected = [...(weights.get("model.embed_tokens.weight") ?? [])].slice(0, 4);
    expect([...decodeFloat16(new Uint16Array(new Uint8Array(bytes).buffer))]).toEqual(
      expected.map((value) => expect.closeTo(value, 3)),
    );
  });

  it("makes the file once, anew when it is damaged, and another for other weights", async () => {
    const open = async () => (await openQuantized(folder, { precision: "int4" })).quantizedFile;
    const first = await open();
    expect(first.isNew).toBe(true);
    expect(await open()).toEqual({ ...first, isNew: false });
    const intact = readFileSync(first.path);

    const damaged = Buffer.from(intact);
    damaged[damaged.length - 5] = (damaged[damaged.length - 5] as number) ^ 1;
    writeFileSync(first.path, damaged);
    expect((await open()).isNew).toBe(true);
    expect(readFileSync(first.path).equals(intact)).toBe(true);

    writeFileSync(first.path, intact.subarray(0, intact.length / 2));
    expect((await open()).isNew).toBe(true);
    expect(readFileSync(first.path).equals(intact)).toBe(true);

    const { weights, architecture } = tinyCheckpoint("untied");
    const changed = [...weights].map(([name, data]) => {
      return [name, { data: data.map((value) => 2 * value), shape: architecture.parameters.get(name) ?? [] }] as const;
    });
    writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(new Map(changed), "F32"));
    const other = await open();
    expect(other.isNew).toBe(true);
    expect(other.path).not.toBe(first.path);
    expect(
      readdirSync(dirname(first.path)).filter((name) => !/^(int4-\w{16}\.safetensors|source\.json)$/.test(name)),
    ).toEqual([]);
  });

  it("refuses weights that are no numbers, and leaves nothing behind", async () => {
    const { weights, architecture } = tinyCheckpoint("untied");
    const tensors = [...weights].map(([name, data]) => {
      const copy = data.slice();
      if (name === "lm_head.weight") copy[3] = Number.NaN;
      return [name, { data: copy, shape: architecture.parameters.get(name) ?? [] }] as const;
    });
    writeFileSync(join(folder, "model.safetensors"), encodeSafetensors(new Map(tensors), "F32"));
    await expect(openQuantized(folder, { precision: "int8" })).rejects.toThrow("tensor lm_head.weight holds NaN");
    expect(readdirSync(join(folder, "quantized"))).toEqual(["source.json"]);
  });

  it.skipIf(process.getuid?.() === 0)(
    "goes to the cache folder where the checkpoint's own cannot be written",
    async () => {
      const cacheDir = mkdtempSync(join(tmpdir(), "quantized-cache-"));
      chmodSync(folder, 0o500);
      const { quantizedFile } = await openQuantized(folder, { precision: "int8", cacheDir });
      chmodSync(folder, 0o700);
      expect(quantizedFile.path.startsWith(cacheDir)).toBe(true);
      expect(statSync(quantizedFile.path).size).toBe(quantizedFile.bytes);
      rmSync(cacheDir, { recursive: true });
    },
  );
});
