import { describe, expect, it } from "vitest";
import * as ops from "./ops.ts";
import { multiplyDims, sumDims } from "./shape.ts";
import { broadcastShapes } from "./shape-rules.ts";

const x = (...shape: (number | string)[]) => ops.input("x", shape);
const ids = (...shape: (number | string)[]) => ops.input("ids", shape, "int64");

describe("shapes", () => {
  it("broadcast as NumPy has it", () => {
    expect(broadcastShapes([3, 1], [2, 1, 4])).toEqual([2, 3, 4]);
    expect(broadcastShapes([], [5])).toEqual([5]);
    expect(broadcastShapes(["batch", 1], [1, "time"])).toEqual(["batch", "time"]);
  });

  it("keep names through sums and products, which stay sums of products", () => {
    expect(sumDims("past", "time")).toBe("past+time");
    expect(sumDims(0, "time")).toBe("time");
    expect(multiplyDims(1, "time")).toBe("time");
    expect(multiplyDims(2, 3)).toBe(6);
    expect(multiplyDims(2, "past+time")).toBe("2*past+2*time");
  });

  it("follow axes that are counted from the end", () => {
    expect(ops.reduceSum(x(2, 3, 4), [-1]).shape).toEqual([2, 3]);
    expect(ops.reduceSum(x(2, 3, 4), [0, -1], true).shape).toEqual([1, 3, 1]);
    expect(ops.concat([x(2, "past"), x(2, "time")], -1).shape).toEqual([2, "past+time"]);
    expect(ops.slice(x(2, 5), -1, 1, 3).shape).toEqual([2, 3]);
  });

  it("of a product of batches put the broadcast leading axes first", () => {
    expect(ops.matmul(x("batch", 1, 2, 3), x(4, 3, 5)).shape).toEqual(["batch", 4, 2, 5]);
  });

  it("of gathered rows put the indices' axes first", () => {
    expect(ops.gatherRows(x(10, 3, 2), ids("batch", "time")).shape).toEqual(["batch", "time", 3, 2]);
  });
});

describe("refusals name the op, the shapes and what was wrong", () => {
  const refused: [string, () => unknown, string][] = [
    [
      "sizes that do not broadcast",
      () => ops.add(x(2, 3), x(2, 4)),
      "add([2, 3], [2, 4]): shapes [2, 3] and [2, 4] do not broadcast at axis 1",
    ],
    ["two names", () => ops.mul(x("batch"), x("time")), "do not broadcast"],
    ["a name and a number", () => ops.mul(x("batch"), x(3)), "do not broadcast"],
    ["mixed types", () => ops.add(x(2), ids(2)), "add([2], [2]): operands are of different types: float32 and int64"],
    ["a function of whole numbers", () => ops.exp(ids(2)), "exp([2]): the operand must be float32, not int64"],
    ["factors that do not meet", () => ops.matmul(x(2, 3), x(4, 5)), "cannot multiply [2, 3] by [4, 5]"],
    ["a vector as a matrix", () => ops.matmul(x(3), x(3, 2)), "cannot multiply [3] by [3, 2]"],
    ["whole numbers in a product", () => ops.matmul(ids(2, 3), x(3, 2)), "a factor must be float32, not int64"],
    [
      "a permutation of other axes",
      () => ops.transpose(x(2, 3), [0, 0]),
      "[0, 0] is no permutation of the axes of [2, 3]",
    ],
    ["another number of values", () => ops.reshape(x(2, 3), [4]), "cannot reshape [2, 3] to [4]"],
    ["an expansion that shrinks", () => ops.expand(x(2, 3), [2, 1]), "cannot expand [2, 3] to [2, 1]"],
    ["a slice past the end", () => ops.slice(x(2, 3), 1, 2, 2), "cannot take 2 from 2 on along axis 1 of [2, 3]"],
    ["a slice before the beginning", () => ops.slice(x(3), 0, -1, 2), "cannot take 2 from -1 on along axis 0 of [3]"],
    [
      "parts that differ elsewhere",
      () => ops.concat([x(2, 3), x(3, 3)], 1),
      "cannot join [2, 3] and [3, 3] along axis 1",
    ],
    ["nothing to join", () => ops.concat([], 0), "concat needs at least one tensor"],
    ["an axis too far", () => ops.reduceSum(x(2), [1]), "axis 1 is outside a tensor of rank 1"],
    ["rows of a scalar", () => ops.softmax(x()), "softmax([]): the operand must have an axis, but is a scalar"],
    ["a condition that is no bool", () => ops.where(x(2), x(2), x(2)), "the condition must be bool, not float32"],
    ["a norm of another size", () => ops.rmsNorm(x(2, 3), x(4), 1e-5), "the weight must have shape [3], not [4]"],
    [
      "a shift of another size",
      () => ops.layerNorm(x(2, 3), x(3), x(2), 1e-5),
      "the bias must have shape [3], not [2]",
    ],
    [
      "rotation without heads",
      () => ops.rotary(x(2, 3, 4), ids(2, 3), x(9, 2), x(9, 2)),
      "rotary takes [batch, heads, time, even d]",
    ],
    [
      "angles of another size",
      () => ops.rotary(x(1, 1, 2, 4), ids(1, 2), x(9, 4), x(9, 4)),
      "cosines must have shape [9, 2], not [9, 4]",
    ],
    ["indices with fractions", () => ops.gatherRows(x(4, 2), x(3)), "row indices must be int64, not float32"],
    [
      "updates of other rows",
      () => ops.scatterAddRows(x(4, 2), ids(3), x(3, 3)),
      "updates must have shape [3, 2], not [3, 3]",
    ],
    ["tokens of another count", () => ops.tokenLogProbs(x(3, 9), ids(2)), "tokens must have shape [3], not [2]"],
    ["logits of a batch", () => ops.tokenLogProbs(x(1, 3, 9), ids(3)), "logits must be [n, vocabulary], not [1, 3, 9]"],
    ["updates of another count", () => ops.addAtToken(x(3, 9), ids(3), x(2)), "updates must have shape [3], not [2]"],
    [
      "a constant of another size",
      () => ops.constant(new Float32Array(3), [2, 2]),
      "shape [2, 2] does not hold 3 values",
    ],
  ];
  for (const [what, build, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(build).toThrow(message);
    });
  }
});
