/**
 * How products with quantized weights are said in ONNX. Forward on the runtime's integer paths, for which activations
 * are rounded to eight bits as well; back by dequantizing one layer's weights, used and dropped again, or, where speed
 * is worth more than exact gradients, on the integer path too.
 * Why these operators: docs/decisions/2026-11-24-quantization.md.
 */
import type { OnnxEmitter } from "./onnx-emitter.ts";
import { elementCodes } from "./onnx-types.ts";
import type { Tensor } from "./tensor.ts";

/** Both int8 operands are stored with 128 added: the unsigned product is exact on every processor. */
const zero = 128;
/** Keeps the step of a row of zeros from being zero. */
const smallestStep = 1e-30;

/**
 * The number 1, which the runtime cannot know before it has `x`. Weights that are scaled by it are dequantized when
 * their turn comes, not all of them while the session is made.
 */
function lateOne(emitter: OnnxEmitter, x: string): string {
  const rows = emitter.node("Cast", [emitter.node("Shape", [x], { start: 0, end: 1 })], { to: elementCodes.float32 });
  return emitter.node("Squeeze", [emitter.node("Div", [rows, rows])]);
}

/** As `roundedProduct`, and the outliers' columns apart where there are any. */
export function int8Product(
  emitter: OnnxEmitter,
  x: string,
  values: string,
  scales: string,
  [columns, mask, weights]: readonly string[],
): string {
  if (columns === undefined || mask === undefined || weights === undefined) {
    return roundedProduct(emitter, x, values, scales);
  }
  const apart = emitter.node("MatMul", [emitter.node("Gather", [x, columns], { axis: -1 }), weights]);
  return emitter.node("Add", [roundedProduct(emitter, emitter.node("Mul", [x, mask]), values, scales), apart]);
}

/** y = step(x) (levels(x) V) scales, where step is a row's largest |x| / 127 (vector-wise, Dettmers et al. 2022). */
function roundedProduct(emitter: OnnxEmitter, x: string, values: string, scales: string): string {
  const [first, second, last] = [emitter.int64([0]), emitter.int64([1]), emitter.int64([-1])];
  const reduced = emitter.node("ReduceMax", [emitter.node("Abs", [x]), last], { keepdims: 1 });
  // Where there are no rows at all, the runtime's ReduceMax leaves the last axis as it was.
  const largest = emitter.node("Slice", [reduced, first, second, last]);
  const step = emitter.node("Max", [
    emitter.node("Mul", [largest, emitter.float(1 / 127)]),
    emitter.float(smallestStep),
  ]);
  // The cast cuts off what is behind the point, so the added half rounds.
  const shifted = emitter.node("Add", [emitter.node("Div", [x, step]), emitter.float(zero + 0.5)]);
  const levels = emitter.node("Cast", [shifted], { to: elementCodes.uint8 });
  const zeroPoint = emitter.initializer("uint8", [], Uint8Array.of(zero));
  const sums = emitter.node("MatMulInteger", [levels, values, zeroPoint, zeroPoint]);
  const product = emitter.node("Cast", [sums], { to: elementCodes.float32 });
  return emitter.node("Mul", [emitter.node("Mul", [product, step]), scales]);
}

/** g (V scales)^T for V [input, output]. */
export function int8TransposedProduct(
  emitter: OnnxEmitter,
  g: string,
  values: string,
  scales: string,
  outputSize: number,
): string {
  const zeros = emitter.initializer("uint8", [outputSize], new Uint8Array(outputSize).fill(zero));
  const late = emitter.node("Mul", [scales, lateOne(emitter, g)]);
  const weight = emitter.node("DequantizeLinear", [values, late, zeros], { axis: 1 });
  // Fused, as a transposition of its own would be moved to the stored weights and keep a second copy of them.
  return emitter.node("FusedMatMul", [g, weight], { transB: 1 }, "com.microsoft");
}

/**
 * The same with g rounded to eight bits as activations are, on the integer path. A weight's scale belongs to its
 * output, over which this product sums, so it is multiplied into g first.
 */
export function int8RoundedTransposedProduct(emitter: OnnxEmitter, g: string, values: string, scales: string): string {
  // The runtime turns the stored weights once, while the session is made, and keeps the copy: a byte a weight.
  const turned = emitter.node("Transpose", [values], { perm: [1, 0] });
  return roundedProduct(emitter, emitter.node("Mul", [g, scales]), turned, emitter.float(1));
}

/** Shape of int4 values [output, blocks, bytes a block]. */
type BlockShape = readonly [outputSize: number, blocks: number, bytes: number];

/** Activations are rounded to eight bits in blocks as long as those of the weights (accuracy level 4). */
export function int4Product(
  emitter: OnnxEmitter,
  x: string,
  values: string,
  scales: string,
  { inputSize, shape: [outputSize, , bytes] }: { inputSize: number; shape: BlockShape },
): string {
  const attributes = { K: inputSize, N: outputSize, bits: 4, block_size: 2 * bytes, accuracy_level: 4 };
  return emitter.node("MatMulNBits", [x, values, scales], attributes, "com.microsoft");
}

/** g W for W [output, input]. */
export function int4TransposedProduct(
  emitter: OnnxEmitter,
  g: string,
  values: Tensor,
  scales: string,
  { inputSize, shape: [outputSize, blocks, bytes] }: { inputSize: number; shape: BlockShape },
): string {
  const rows = outputSize * blocks;
  const nibbles = emitter.reinterpret(values, "uint4", [rows, 2 * bytes]);
  const levels = emitter.node("DequantizeLinear", [
    nibbles,
    lateOne(emitter, g),
    emitter.initializer("uint4", [], Uint8Array.of(8)),
  ]);
  const scaled = emitter.node("Mul", [levels, emitter.node("Reshape", [scales, emitter.int64([rows, 1])])]);
  const padded = emitter.node("Reshape", [scaled, emitter.int64([outputSize, blocks * 2 * bytes])]);
  const from = emitter.int64([0]);
  const weight =
    blocks * 2 * bytes === inputSize
      ? padded
      : emitter.node("Slice", [padded, from, emitter.int64([inputSize]), emitter.int64([1])]);
  return emitter.node("MatMul", [g, weight]);
}
