import { describe, expect, it } from "vitest";
import { createSession, floats } from "../runtime/session.ts";
import { encodeOnnx } from "./onnx-encode.ts";
import * as ops from "./ops.ts";
import type { Dim } from "./shape.ts";
import { multiplyDims } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

async function run(output: Tensor, feeds: Parameters<Awaited<ReturnType<typeof createSession>>["run"]>[0]) {
  const session = await createSession({ output }, { threads: 1 });
  const result = await session.run(feeds);
  await session.dispose();
  return { data: [...floats(result.output)], shape: [...result.output.shape] };
}

const ramp = (...shape: number[]) => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
  shape,
});

describe("encodeOnnx", () => {
  it("reads sizes that are names off the inputs when the graph runs", async () => {
    const x = ops.input("x", ["batch", "time", 2]);
    const y = ops.reshape(x, [multiplyDims("batch", "time"), 2]);
    expect((await run(y, { x: ramp(2, 3, 2) })).shape).toEqual([6, 2]);
    expect((await run(y, { x: ramp(1, 5, 2) })).shape).toEqual([5, 2]);
  });

  it("works out sums and products of names", async () => {
    const past = ops.input("past", ["batch", "past"]);
    const present = ops.input("present", ["batch", "time"]);
    const joined = ops.concat([past, present], 1);
    const twice = multiplyDims(2, joined.shape[1] as Dim);
    const ones = ops.add(ops.zeros(["batch", twice]), ops.scalar(1));
    const total = ops.reduceSum(ones, [1]);
    expect(
      await run(ops.add(total, ops.reduceSum(ops.scale(joined, 0), [1])), { past: ramp(2, 3), present: ramp(2, 4) }),
    ).toEqual({ data: [14, 14], shape: [2] });
  });

  it("slices at a place known only at run time", async () => {
    const past = ops.input("past", ["past"]);
    const present = ops.input("present", ["time"]);
    const joined = ops.concat([past, present], 0);
    const tail = ops.slice(joined, 0, "past", "time");
    expect((await run(tail, { past: ramp(3), present: { data: Float32Array.of(7, 8), shape: [2] } })).data).toEqual([
      7, 8,
    ]);
  });

  it("reshapes with several unknown axes in one go", async () => {
    const x = ops.input("x", ["batch", "time", 4]);
    const heads = ops.transpose(ops.reshape(x, ["batch", "time", 2, 2]), [0, 2, 1, 3]);
    const merged = ops.reshape(heads, [multiplyDims("batch", 2), multiplyDims("time", 2)]);
    expect((await run(merged, { x: ramp(2, 3, 4) })).shape).toEqual([4, 6]);
  });

  it("takes a past of no tokens", async () => {
    const joined = ops.concat([ops.input("past", ["past", 2]), ops.input("x", ["time", 2])], 0);
    expect(await run(joined, { past: ramp(0, 2), x: ramp(1, 2) })).toEqual({ data: [0, 1], shape: [1, 2] });
  });

  it("refuses two leaves of one name, however alike", () => {
    const sum = ops.add(ops.input("x", [2]), ops.input("x", [2]));
    expect(() => encodeOnnx({ sum })).toThrow('two different leaves are called "x"');
  });

  it("refuses an input called like an output", () => {
    expect(() => encodeOnnx({ x: ops.neg(ops.input("x", [2])) })).toThrow('"x" names both a leaf and an output');
  });

  it("keeps its own names apart from those it is given", async () => {
    const sum = ops.add(ops.add(ops.input("t0", [1]), ops.input("t1", [1])), ops.scalar(1));
    const session = await createSession({ t2: ops.neg(sum), t3: sum }, { threads: 1 });
    const value = (n: number) => ({ data: Float32Array.of(n), shape: [1] });
    const result = await session.run({ t0: value(1), t1: value(2) });
    expect([floats(result.t2)[0], floats(result.t3)[0]]).toEqual([-4, 4]);
    await session.dispose();
  });

  it("refuses a size that no input tells", () => {
    const y = ops.expand(ops.input("x", [1]), ["time"]);
    expect(() => encodeOnnx({ y })).toThrow('no input of the graph tells the size of "time"');
  });

  it("asks where a weight lies once, and refuses when nobody knows", () => {
    const w = ops.weight("w", [2]);
    const asked: string[] = [];
    encodeOnnx({ y: ops.mul(w, w) }, (name) => {
      asked.push(name);
      return { file: "weights", offset: 0, length: 8 };
    });
    expect(asked).toEqual(["w"]);
    expect(() => encodeOnnx({ y: ops.neg(w) })).toThrow(
      "the graph holds a weight, w, but nothing says where its data is",
    );
  });

  it("names each input once and the outputs in the order given", () => {
    const [a, b] = [ops.input("a", [1]), ops.input("b", [1])];
    const { inputNames, outputNames } = encodeOnnx({ z: ops.sub(b, a), y: a });
    expect([...inputNames].sort()).toEqual(["a", "b"]);
    expect(outputNames).toEqual(["z", "y"]);
  });
});
