/** Every op of the graph language with the attributes it takes. The op table has exactly these keys. */
import type { Dim, ElementType, Shape } from "./shape.ts";

type None = Record<never, never>;

export interface OpAttributes {
  /** Fed at run time. */
  input: { name: string; shape: Shape; type: ElementType };
  /** Frozen data held in a file or buffer beside the graph: see `ExternalLocation` of the ONNX encoder. */
  weight: { name: string; shape: Shape; type: ElementType };
  /** Small frozen data written into the graph itself. */
  constant: { data: Float32Array | BigInt64Array; shape: Shape };
  zeros: { shape: Shape };
  stopGradient: None;
  cast: { to: ElementType };
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  sigmoid: None;
  tanh: None;
  erf: None;
  gelu: { approximate: "none" | "tanh" };
  add: None;
  sub: None;
  mul: None;
  div: None;
  minimum: None;
  maximum: None;
  lessOrEqual: None;
  where: None;
  matmul: None;
  /** Values and scales as `ops.quantizedMatmul` says; transposed for gradients, which int8 products may round too. */
  quantizedMatmul: {
    precision: "int8" | "int4";
    inputSize: number;
    transposed: boolean;
    /** Default false. */
    roundGradients?: boolean;
  };
  transpose: { permutation: readonly number[] };
  reshape: { shape: Shape };
  expand: { shape: Shape };
  slice: { axis: number; start: Dim; length: Dim };
  concat: { axis: number };
  reduceSum: { axes: readonly number[]; keepDims: boolean };
  softmax: None;
  logSoftmax: None;
  rmsNorm: { epsilon: number };
  layerNorm: { epsilon: number };
  rotary: None;
  gatherRows: None;
  scatterAddRows: None;
  tokenLogProbs: None;
  addAtToken: None;
}

export type OpName = keyof OpAttributes;
