/** How each op is said in ONNX: standard operators where they exist, ONNX Runtime's own fused ones where they pay. */
import type { OnnxAttribute, OnnxEmitter } from "./onnx-emitter.ts";
import { elementCodes } from "./onnx-types.ts";
import type { OpAttributes, OpName } from "./op-names.ts";
import {
  int4Product,
  int4TransposedProduct,
  int8Product,
  int8RoundedTransposedProduct,
  int8TransposedProduct,
} from "./quantized-product-onnx.ts";
import type { Dim, Shape } from "./shape.ts";
import { operand } from "./shape-rules.ts";
import type { Tensor } from "./tensor.ts";

export type OnnxRule<K extends OpName> = (
  emitter: OnnxEmitter,
  names: readonly string[],
  attributes: OpAttributes[K],
  tensor: Tensor,
) => string;

const leaf: OnnxRule<OpName> = (emitter, _names, _attributes, tensor) => emitter.leaf(tensor);
const plain =
  (operator: string, options?: Record<string, OnnxAttribute>): OnnxRule<OpName> =>
  (emitter, names) =>
    emitter.node(operator, names, options);

/** A target for Reshape: 0 copies the size at the same place, one -1 takes what is left. */
function reshapeTarget(from: Shape, to: Shape): readonly number[] | null {
  const target = to.map((dim: Dim, axis) => (typeof dim === "number" ? dim : dim === from[axis] ? 0 : -1));
  return target.filter((size) => size === -1).length > 1 ? null : target;
}

export const onnxRules: { [K in OpName]: OnnxRule<K> } = {
  input: leaf,
  weight: leaf,
  constant: leaf,
  zeros: (emitter, _names, { shape }) => emitter.node("ConstantOfShape", [emitter.dims(shape)]),
  stopGradient: plain("Identity"),
  cast: (emitter, names, { to }) => emitter.node("Cast", names, { to: elementCodes[to] }),
  neg: plain("Neg"),
  exp: plain("Exp"),
  log: plain("Log"),
  sqrt: plain("Sqrt"),
  reciprocal: plain("Reciprocal"),
  sigmoid: plain("Sigmoid"),
  tanh: plain("Tanh"),
  erf: plain("Erf"),
  gelu: (emitter, names, { approximate }) => emitter.node("Gelu", names, { approximate }),
  add: plain("Add"),
  sub: plain("Sub"),
  mul: plain("Mul"),
  div: plain("Div"),
  minimum: plain("Min"),
  maximum: plain("Max"),
  lessOrEqual: plain("LessOrEqual"),
  where: plain("Where"),
  matmul: plain("MatMul"),
  quantizedMatmul: (emitter, names, { precision, inputSize, transposed, roundGradients }, tensor) => {
    const [x = "", values = "", scales = "", ...outliers] = names;
    const stored = operand(tensor.inputs, 1);
    if (precision === "int8") {
      const [, outputSize] = stored.shape;
      if (!transposed) return int8Product(emitter, x, values, scales, outliers);
      return roundGradients
        ? int8RoundedTransposedProduct(emitter, x, values, scales)
        : int8TransposedProduct(emitter, x, values, scales, Number(outputSize));
    }
    const [outputs, blocks, bytes] = stored.shape;
    const layout = { inputSize, shape: [Number(outputs), Number(blocks), Number(bytes)] as const };
    return transposed
      ? int4TransposedProduct(emitter, x, stored, scales, layout)
      : int4Product(emitter, x, values, scales, layout);
  },
  transpose: (emitter, names, { permutation }) => emitter.node("Transpose", names, { perm: permutation }),
  reshape: (emitter, names, { shape }, tensor) => {
    const target = reshapeTarget(operand(tensor.inputs, 0).shape, shape);
    return emitter.node("Reshape", [...names, target === null ? emitter.dims(shape) : emitter.int64(target)]);
  },
  expand: (emitter, names, { shape }) => emitter.node("Expand", [...names, emitter.dims(shape)]),
  slice: (emitter, names, { axis, start, length }) => {
    const from = emitter.dims([start]);
    const to =
      typeof start === "number" && typeof length === "number"
        ? emitter.int64([start + length])
        : emitter.node("Add", [from, emitter.dims([length])]);
    return emitter.node("Slice", [...names, from, to, emitter.int64([axis])]);
  },
  concat: (emitter, names, { axis }) => emitter.node("Concat", names, { axis }),
  reduceSum: (emitter, names, { axes, keepDims }) =>
    axes.length === 0
      ? emitter.node("Identity", names)
      : emitter.node("ReduceSum", [...names, emitter.int64(axes)], { keepdims: keepDims ? 1 : 0 }),
  softmax: plain("Softmax", { axis: -1 }),
  logSoftmax: plain("LogSoftmax", { axis: -1 }),
  rmsNorm: (emitter, names, { epsilon }) =>
    emitter.node("SimplifiedLayerNormalization", names, { axis: -1, epsilon: { float: epsilon }, stash_type: 1 }),
  layerNorm: (emitter, names, { epsilon }) =>
    emitter.node("LayerNormalization", names, { axis: -1, epsilon: { float: epsilon } }),
  rotary: (emitter, names) => emitter.node("RotaryEmbedding", names, { interleaved: 0 }, "com.microsoft"),
  gatherRows: plain("Gather", { axis: 0 }),
  // Not ScatterND: the runtime spreads its updates over threads without a lock, and repeated rows lose some.
  scatterAddRows: (emitter, [base = "", indices = "", updates = ""], _attributes, tensor) => {
    const { shape } = operand(tensor.inputs, 2);
    const column = emitter.node("Reshape", [indices, emitter.int64([-1, ...shape.slice(1).map(() => 1)])]);
    const everyElement = emitter.node("Expand", [column, emitter.dims(shape)]);
    return emitter.node("ScatterElements", [base, everyElement, updates], { axis: 0, reduction: "add" });
  },
  tokenLogProbs: (emitter, [logits = "", tokens = ""]) => {
    const last = emitter.int64([-1]);
    const all = emitter.node("LogSoftmax", [logits], { axis: -1 });
    const picked = emitter.node("GatherElements", [all, emitter.node("Unsqueeze", [tokens, last])], { axis: -1 });
    return emitter.node("Squeeze", [picked, last]);
  },
  addAtToken: (emitter, [x = "", tokens = "", updates = ""]) => {
    const columns = [tokens, updates].map((name) => emitter.node("Unsqueeze", [name, emitter.int64([-1])]));
    return emitter.node("ScatterElements", [x, ...columns], { axis: -1, reduction: "add" });
  },
};
