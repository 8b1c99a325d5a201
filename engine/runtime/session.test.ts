import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, describe, expect, it } from "vitest";
import { encodeSafetensors, openSafetensors } from "../checkpoint/safetensors.ts";
import { encodeOnnx } from "../graph/onnx-encode.ts";
import * as ops from "../graph/ops.ts";
import { createSession, floats } from "./session.ts";

const folder = mkdtempSync(join(tmpdir(), "session-"));
afterAll(() => rmSync(folder, { recursive: true }));

const vector = (...values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });

describe("createSession", () => {
  it("finds weights in one buffer by their offsets", async () => {
    const x = ops.input("x", [2]);
    const y = ops.add(ops.mul(x, ops.weight("scale", [2])), ops.weight("shift", [2]));
    const bytes = new Uint8Array(Float32Array.of(2, 3, 10, 20).buffer);
    const session = await createSession(
      { y },
      {
        threads: 1,
        buffers: { weights: bytes },
        locate: (name) => ({ file: "weights", offset: name === "scale" ? 0 : 8, length: 8 }),
      },
    );
    expect([...floats((await session.run({ x: vector(1, 1) })).y)]).toEqual([12, 23]);
    await session.dispose();
  });

  it("makes graphs whose weights the runtime reads from a checkpoint file beside them", async () => {
    const path = join(folder, "model.safetensors");
    const tensors = new Map([
      ["other", { data: new Float32Array(3), shape: [3] }],
      ["w", { data: Float32Array.of(5, 7), shape: [2] }],
    ]);
    writeFileSync(path, encodeSafetensors(tensors, "F32"));
    const { tensors: stored } = openSafetensors(path);
    const { model } = encodeOnnx({ y: ops.mul(ops.input("x", [2]), ops.weight("w", [2])) }, (name) => {
      const { offset = 0, length = 0 } = stored.get(name) ?? {};
      return { file: "model.safetensors", offset, length };
    });
    writeFileSync(join(folder, "graph.onnx"), model);
    const session = await ort.InferenceSession.create(join(folder, "graph.onnx"));
    const { y } = await session.run({ x: new ort.Tensor("float32", Float32Array.of(2, 3), [2]) });
    expect(y?.data).toEqual(Float32Array.of(10, 21));
    await session.release();
  });

  it("names an input that is missing, superfluous or of another size", async () => {
    const session = await createSession({ y: ops.neg(ops.input("x", [2])) }, { threads: 1 });
    await expect(session.run({})).rejects.toThrow("the graph needs the input x, which was not given");
    await expect(session.run({ x: vector(1, 2), z: vector(1) })).rejects.toThrow("the graph has no input called z");
    await expect(session.run({ x: { data: new Float32Array(3), shape: [2] } })).rejects.toThrow(
      "input x: shape [2] holds 2 values, its data 3",
    );
    await expect(session.run({ x: vector(1, 2, 3) })).rejects.toThrow(/x/);
    await session.dispose();
  });

  it("returns whole numbers as they are", async () => {
    const ids = ops.input("ids", ["time"], "int64");
    const session = await createSession({ y: ops.concat([ids, ids], 0) }, { threads: 1 });
    const { y } = await session.run({ ids: { data: BigInt64Array.of(3n, -4n), shape: [2] } });
    expect(y).toEqual({ data: BigInt64Array.of(3n, -4n, 3n, -4n), shape: [4] });
    expect(() => floats(y)).toThrow("expected a float32 tensor");
    await session.dispose();
  });

  it("adds up repeated rows alike with one thread and with many", async () => {
    // Half of 20,000 updates meet in one row: threads that raced for it would lose some.
    const [rows, width, count] = [64, 32, 20_000];
    const sum = ops.scatterAddRows(
      ops.zeros([rows, width]),
      ops.input("at", [count], "int64"),
      ops.input("x", [count, width]),
    );
    const at = BigInt64Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 5n : BigInt(i % rows)));
    const feeds = {
      at: { data: at, shape: [count] },
      x: { data: new Float32Array(count * width).fill(1), shape: [count, width] },
    };
    const expected = new Array<number>(width).fill(at.filter((row) => row === 5n).length);
    for (const threads of [1, 4]) {
      const session = await createSession({ sum }, { threads });
      // ScatterND lost updates about every tenth time.
      for (let attempt = 0; attempt < 30; attempt++) {
        const total = floats((await session.run(feeds)).sum);
        expect([...total.subarray(5 * width, 6 * width)]).toEqual(expected);
      }
      await session.dispose();
    }
  });
});
