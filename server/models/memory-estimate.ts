/** How much memory a model's weights take in each precision, by arithmetic on their shapes. */
import type { Architecture } from "../../engine/architectures/architecture.ts";

export interface MemoryEstimate {
  /** Bytes of all weights in float32. */
  none: number;
  int8: number;
  int4: number;
  /** Bytes of keys and values that one token of a conversation adds, in float32. */
  cachePerToken: number;
}

/** int4 weights share one float32 scale in so many. */
const int4Block = 32;

/** A head of its own; others use the embedding table, which then is kept twice. */
const head = /^(?:lm_head|embed_out)\.weight$/;

/**
 * Linear layers are quantized; int8 has a float32 scale for each output. The head stays at int8, tables that are only
 * looked up are kept in half precision, and norms and biases in float32. Features multiplied apart for exactness are
 * left out of the sum: they are few.
 */
export function estimateMemory(architecture: Architecture, parameters: number): MemoryEstimate {
  const { linearModules, vocabularySize, hiddenSize, layers, keyValueHeads, headSize } = architecture;
  const linear = linearModules.map(({ inputSize, outputSize }) => ({ inputSize, outputSize }));
  const weights = linear.reduce((sum, { inputSize, outputSize }) => sum + inputSize * outputSize, 0);
  const quantizedHead = vocabularySize * hiddenSize + 4 * vocabularySize;
  const tables = [...architecture.parameters]
    .filter(([name, shape]) => shape.length === 2 && /embed|wte|wpe/.test(name) && !head.test(name))
    .reduce((sum, [, [rows = 0, width = 0]]) => sum + rows * width, 0);
  const untiedHead = parametersOf(architecture, head);
  const plain = 4 * (parameters - weights - tables - untiedHead);
  const int8 = linear.reduce((sum, { inputSize, outputSize }) => sum + inputSize * outputSize + 4 * outputSize, 0);
  const int4 = linear.reduce(
    (sum, { inputSize, outputSize }) => sum + outputSize * Math.ceil(inputSize / int4Block) * (int4Block / 2 + 4),
    0,
  );
  const shared = quantizedHead + 2 * tables + plain;
  return {
    none: 4 * parameters,
    int8: int8 + shared,
    int4: int4 + shared,
    cachePerToken: 4 * 2 * layers * keyValueHeads * headSize,
  };
}

function parametersOf({ parameters }: Architecture, name: RegExp): number {
  const shapes = [...parameters].filter(([tensor]) => name.test(tensor)).map(([, shape]) => shape);
  return shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
