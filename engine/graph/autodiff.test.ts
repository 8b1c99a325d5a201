import { describe, expect, it } from "vitest";
import { createSession, floats } from "../runtime/session.ts";
import { gradients, topologicalOrder } from "./autodiff.ts";
import * as ops from "./ops.ts";
import type { Tensor } from "./tensor.ts";

async function evaluate(tensors: readonly Tensor[], feeds: Record<string, number[]>): Promise<number[][]> {
  const outputs = Object.fromEntries(tensors.map((tensor, index) => [`y${index}`, tensor]));
  const session = await createSession(outputs, { threads: 1 });
  const given = Object.entries(feeds).map(([name, data]) => [
    name,
    { data: Float32Array.from(data), shape: [data.length] },
  ]);
  const result = await session.run(Object.fromEntries(given));
  await session.dispose();
  return tensors.map((_, index) => [...floats(result[`y${index}`] ?? { data: new Float32Array(0), shape: [0] })]);
}

describe("gradients", () => {
  it("adds up what every use of a tensor contributes", async () => {
    const x = ops.input("x", [2]);
    // loss = sum(x^3 + 2x + x), so d loss / dx = 3x^2 + 3
    const loss = ops.sumAll(ops.add(ops.add(ops.mul(ops.mul(x, x), x), ops.scale(x, 2)), x));
    const [gradient] = await evaluate(gradients(loss, [x]), { x: [2, -1] });
    expect(gradient).toEqual([15, 6]);
  });

  it("gives zeros of the right shape for a tensor without influence on the loss", async () => {
    const [x, unused] = [ops.input("x", [2]), ops.input("unused", [3, 2])];
    const [gradient, zero] = gradients(ops.sumAll(ops.mul(x, x)), [x, unused]);
    expect(zero?.shape).toEqual([3, 2]);
    expect(await evaluate([gradient as Tensor, zero as Tensor], { x: [4, 5] })).toEqual([
      [8, 10],
      [0, 0, 0, 0, 0, 0],
    ]);
  });

  it("takes any expression as wanted, not inputs alone", async () => {
    const x = ops.input("x", [2]);
    const square = ops.mul(x, x);
    const [bySquare, byInput] = gradients(ops.sumAll(ops.mul(square, square)), [square, x]);
    // d s^2 / ds = 2s and d x^4 / dx = 4x^3
    expect(await evaluate([bySquare as Tensor, byInput as Tensor], { x: [1, 3] })).toEqual([
      [2, 18],
      [4, 108],
    ]);
  });

  it("stops where it is told to", async () => {
    const x = ops.input("x", [2]);
    const [gradient] = gradients(ops.sumAll(ops.mul(x, ops.stopGradient(ops.exp(x)))), [x]);
    const [values] = await evaluate([gradient as Tensor], { x: [0, 1] });
    expect(values?.[0]).toBeCloseTo(1, 6);
    expect(values?.[1]).toBeCloseTo(Math.E, 6);
  });

  it("visits only nodes between the wanted tensors and the loss", () => {
    const wanted = ops.input("wanted", [4]);
    let frozen = ops.input("frozen", [4]);
    for (let i = 0; i < 100; i++) frozen = ops.tanh(ops.add(frozen, ops.exp(frozen)));
    const loss = ops.sumAll(ops.mul(frozen, wanted));
    const forward = new Set(topologicalOrder([loss]));
    const added = topologicalOrder(gradients(loss, [wanted])).filter((node) => !forward.has(node));
    // The 1 that starts the walk, spread over the sum's operand, times `frozen`: no node for the hundred layers.
    expect(added.map(({ op }) => op)).toEqual(["constant", "reshape", "expand", "mul"]);
  });

  it("walks chains longer than the call stack", () => {
    let x = ops.input("x", [1]);
    const start = x;
    for (let i = 0; i < 30_000; i++) x = ops.neg(x);
    expect(gradients(ops.sumAll(x), [start])).toHaveLength(1);
  });

  it("refuses a loss that is no scalar", () => {
    expect(() => gradients(ops.input("x", [2]), [])).toThrow("the loss must be a scalar, not [2]");
  });

  it("refuses a slice whose gap is known only at run time", () => {
    const x = ops.input("x", ["time", 2]);
    const loss = ops.sumAll(ops.slice(x, 0, 1, 2));
    expect(() => gradients(loss, [x])).toThrow("no gradient through a slice of unknown size along axis 0 of [time, 2]");
  });

  it("sums over broadcast axes whose size is a name", async () => {
    const [x, bias] = [ops.input("x", ["batch", 2]), ops.input("bias", [2])];
    const [gradient] = gradients(ops.sumAll(ops.mul(ops.add(x, bias), x)), [bias]);
    const session = await createSession({ gradient: gradient as Tensor }, { threads: 1 });
    const result = await session.run({ x: { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] } });
    expect([...floats(result.gradient)]).toEqual([9, 12]);
    await session.dispose();
  });
});
