/** How a graph gets at the weights of a quantized checkpoint. */
import { type Architecture, type FrozenContext, rememberWeights } from "../architectures/architecture.ts";
import * as ops from "../graph/ops.ts";
import type { ElementType, Shape } from "../graph/shape.ts";
import { entriesOf, type Part } from "./layout.ts";

const elementTypes: Record<string, ElementType> = { F32: "float32", F16: "float16", U8: "uint8" };

/** @param roundGradients whether int8 products round gradients as they do activations */
export function quantizedContext(
  architecture: Architecture,
  parts: readonly Part[],
  roundGradients = false,
): FrozenContext {
  const products = new Map(parts.flatMap((part) => (part.kind === "product" ? [[part.module.name, part]] : [])));
  const tables = new Map(parts.flatMap((part) => (part.kind === "table" ? [[part.source, part]] : [])));
  // Not those of the head: a row of them is one large number among thousands of tiny ones that rounding would lose.
  const rounded = new Set(roundGradients ? architecture.linearModules.map(({ name }) => name) : []);
  const types = new Map<string, ElementType>();
  const remembered = rememberWeights((name: string, shape: Shape) => ops.weight(name, shape, types.get(name)));
  const leaves = (part: Part) =>
    entriesOf(part, architecture).map(([name, { type, shape }]) => {
      types.set(name, elementTypes[type] ?? "float32");
      return remembered(name, shape);
    });
  return {
    weight: remembered,
    project(module, x) {
      const part = products.get(module.name);
      if (part?.kind !== "product") return null;
      const [values, scales, weights] = leaves(part);
      if (values === undefined || scales === undefined) return null;
      const { precision, outliers } = part;
      const { inputSize } = module;
      const attributes = { precision, inputSize, transposed: false, roundGradients: rounded.has(module.name) };
      if (weights === undefined) return ops.quantizedMatmul(x, values, scales, attributes);
      const mask = new Float32Array(inputSize).fill(1);
      for (const column of outliers) mask[column] = 0;
      return ops.quantizedMatmul(x, values, scales, attributes, {
        columns: ops.constant(BigInt64Array.from(outliers, BigInt), [outliers.length]),
        mask: ops.constant(mask, [inputSize]),
        weights,
      });
    },
    lookUp(name, indices) {
      const part = tables.get(name);
      const [table] = part === undefined ? [] : leaves(part);
      return table === undefined ? null : ops.cast(ops.gatherRows(table, indices), "float32");
    },
  };
}
