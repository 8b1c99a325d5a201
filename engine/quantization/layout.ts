/**
 * What a quantized checkpoint holds, known before a weight is read: for each linear layer `<weight>:values` and
 * `<weight>:scales`, and `<weight>:outliers` where it has any; each table of rows in half precision under its own name, and all else as it was, in single.
 */
import type { Architecture, LinearModule } from "../architectures/architecture.ts";
import type { StoredType } from "../checkpoint/safetensors.ts";
import { blockSize, blocksOf } from "./int4-blocks.ts";
import { quantizable } from "./quantizable.ts";

export type Precision = "int8" | "int4";

export interface LayoutEntry {
  type: StoredType;
  shape: readonly number[];
}

export type Part = { source: string } & (
  | {
      kind: "product";
      module: LinearModule;
      precision: Precision;
      /** Input features multiplied apart, in rising order. */
      outliers: readonly number[];
    }
  | { kind: "table" | "plain" }
);

export const weightName = (module: LinearModule) => `${module.name}.weight`;
export const valuesName = (weight: string) => `${weight}:values`;
const outliersName = (weight: string) => `${weight}:outliers`;
export const scalesName = (weight: string) => `${weight}:scales`;

/** The head stays at eight bits: its errors reach the logits as they are. */
export function precisionOf(architecture: Architecture, module: LinearModule, precision: Precision): Precision {
  return architecture.linearModules.some(({ name }) => name === module.name) ? precision : "int8";
}

/** The parts of a quantized checkpoint in the order in which they are written. */
export function planParts(
  architecture: Architecture,
  precision: Precision,
  outliers: ReadonlyMap<string, readonly number[]> = new Map(),
): Part[] {
  const { modules, tables } = quantizable(architecture);
  const products = modules.map((module): Part => {
    return {
      kind: "product",
      source: weightName(module),
      module,
      precision: precisionOf(architecture, module, precision),
      outliers: outliers.get(module.name) ?? [],
    };
  });
  const lookedUp = tables.map((source): Part => ({ kind: "table", source }));
  const done = new Set([...products, ...lookedUp].map(({ source }) => source));
  const rest = [...architecture.parameters.keys()].filter((name) => !done.has(name));
  return [...products, ...lookedUp, ...rest.map((source): Part => ({ kind: "plain", source }))];
}

/** The stored tensors of one part. */
export function entriesOf(part: Part, architecture: Architecture): [name: string, entry: LayoutEntry][] {
  if (part.kind !== "product") {
    const shape = architecture.parameters.get(part.source) ?? [];
    return [[part.source, { type: part.kind === "table" ? "F16" : "F32", shape }]];
  }
  const { inputSize, outputSize } = part.module;
  const blocks = blocksOf(inputSize);
  const int8 = part.precision === "int8";
  return [
    [
      valuesName(part.source),
      { type: "U8", shape: int8 ? [inputSize, outputSize] : [outputSize, blocks, blockSize / 2] },
    ],
    [scalesName(part.source), { type: "F32", shape: int8 ? [outputSize] : [outputSize, blocks] }],
    ...(part.outliers.length === 0
      ? []
      : [
          [outliersName(part.source), { type: "F32", shape: [part.outliers.length, outputSize] }] satisfies [
            string,
            LayoutEntry,
          ],
        ]),
  ];
}
