/** Element types by the numbers that ONNX files know them by (TensorProto.DataType of onnx.proto). */
import type { ElementType } from "./shape.ts";

/** What a stored weight may be read as; two 4-bit numbers a byte, the lower half first. */
export type StoredType = ElementType | "uint4";

export const elementCodes: Record<StoredType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int64: 7,
  bool: 9,
  float16: 10,
  uint4: 21,
};
