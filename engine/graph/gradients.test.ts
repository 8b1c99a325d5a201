/** Every op's forward values and gradients, by walking the op table: against PyTorch and against differences. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createSession, type Feeds, floats, type HostTensor } from "../runtime/session.ts";
import { gradients } from "./autodiff.ts";
import { type ExampleOperand, type ExampleWeight, type OpExample, opExamples } from "./op-examples.ts";
import type { OpName } from "./op-names.ts";
import * as ops from "./ops.ts";

interface RecordedExample {
  op: string;
  title: string;
  operands: number[][];
  shape: number[];
  output: number[];
  gradients: (number[] | null)[];
}

const fixture = new URL("../../test/fixtures/op-gradients.json", import.meta.url);
const recorded = (JSON.parse(readFileSync(fixture, "utf8")) as { examples: RecordedExample[] }).examples;

function hostTensor({ type, shape }: ExampleOperand, data: readonly number[]): HostTensor {
  return { data: type === "float32" ? Float32Array.from(data) : BigInt64Array.from(data, BigInt), shape };
}

/** The same loss as the Python script's: the sum of output times cos(0), cos(1), ... */
const cotangentOf = (size: number) => Array.from({ length: size }, (_, i) => Math.cos(i));

function storedBytes({ type, data }: ExampleWeight): Uint8Array {
  if (type === "uint8") return Uint8Array.from(data);
  return new Uint8Array((type === "float16" ? Uint16Array.from(data) : Float32Array.from(data)).buffer);
}

/** Runs an example once with its gradients, and again with other operands for as long as it is open. */
async function openExample({ operands, build, weights = {} }: OpExample) {
  const inputs = operands.map(({ shape, type }, index) => ops.input(`x${index}`, shape, type));
  const output = build(...inputs);
  const size = output.shape.reduce<number>((product, dim) => product * Number(dim), 1);
  const cotangent = Float32Array.from(cotangentOf(size));
  const loss = ops.sumAll(ops.mul(output, ops.constant(cotangent, output.shape)));
  const wanted = inputs.filter((_, index) => operands[index]?.differentiate);
  const outputs = Object.fromEntries(gradients(loss, wanted).map((gradient, index) => [`g${index}`, gradient]));
  const buffers = Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, storedBytes(weight)]));
  const session = await createSession(
    { output, ...outputs },
    { threads: 1, buffers, locate: (name) => ({ file: name, offset: 0, length: buffers[name]?.byteLength ?? 0 }) },
  );
  return {
    shape: output.shape,
    dispose: () => session.dispose(),
    async run(data: readonly (readonly number[])[]) {
      const feeds: Record<string, Feeds[string]> = {};
      operands.forEach((operand, index) => {
        feeds[`x${index}`] = hostTensor(operand, data[index] as number[]);
      });
      const { output: value, ...rest } = await session.run(feeds);
      const found = Object.values(rest).map((tensor) => floats(tensor as HostTensor));
      return { output: floats(value), gradients: found };
    },
  };
}

/** d loss / d operand[index] by the five-point stencil, whose error is of the order of the step to the fourth. */
async function differences(
  lossOf: (data: readonly (readonly number[])[]) => Promise<number>,
  data: readonly (readonly number[])[],
  index: number,
): Promise<number[]> {
  const step = 2 ** -5;
  const slopes: number[] = [];
  for (let i = 0; i < (data[index]?.length ?? 0); i++) {
    const at = (offset: number) =>
      lossOf(data.map((values, o) => (o === index ? values.map((v, j) => (j === i ? v + offset * step : v)) : values)));
    slopes.push(((await at(-2)) - 8 * (await at(-1)) + 8 * (await at(1)) - (await at(2))) / (12 * step));
  }
  return slopes;
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs((actual[i] as number) - value), `value ${i}: ${actual[i]} for ${value}`).toBeLessThan(
      tolerance * scale,
    );
  });
}

const names = Object.keys(opExamples) as OpName[];
for (const op of names) {
  describe(op, () => {
    for (const example of opExamples[op]) {
      it(`${example.title}: values and gradients agree with PyTorch and with central differences`, async () => {
        const row = recorded.find((candidate) => candidate.op === op && candidate.title === example.title);
        const data = example.operands.map((operand) => operand.data);
        expect(row?.operands, "the fixture is stale: record it again with export-op-examples.ts").toEqual(data);

        const open = await openExample(example);
        const { output, gradients: found } = await open.run(data);
        expect(open.shape).toEqual(row?.shape);
        expectClose(output, row?.output ?? [], 2e-6);
        const expected = (row?.gradients ?? []).filter((gradient) => gradient !== null);
        expect(found.length).toBe(expected.length);
        found.forEach((gradient, index) => {
          expectClose(gradient, expected[index] as number[], 5e-6);
        });

        if (!example.gradientByDefinition) {
          const cotangent = cotangentOf(output.length);
          const lossOf = async (moved: readonly (readonly number[])[]) =>
            (await open.run(moved)).output.reduce((sum, value, i) => sum + value * (cotangent[i] as number), 0);
          const wanted = example.operands.flatMap(({ differentiate }, index) => (differentiate ? [index] : []));
          for (const [order, index] of wanted.entries()) {
            expectClose(found[order] as Float32Array, await differences(lossOf, data, index), 2e-4);
          }
        }
        await open.dispose();
      });
    }
  });
}
