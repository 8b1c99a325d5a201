/** A LoRA adapter (Hu et al. 2021) in memory: W x becomes W x + scaling B A x for the linear layers it targets. */
import type { Architecture, LinearModule } from "../architectures/architecture.ts";

export interface LoraShape {
  rank: number;
  alpha: number;
  /** Last parts of module names, such as `q_proj`. */
  targetModules: readonly string[];
  /** scaling = alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski 2023). */
  rankStabilized: boolean;
}

export interface LoraMatrices {
  /** [rank, input], row-major. */
  a: Float32Array;
  /** [output, rank], row-major. */
  b: Float32Array;
}

export interface LoraAdapter {
  shape: LoraShape;
  /** By full module name, such as `model.layers.0.self_attn.q_proj`. */
  matrices: Map<string, LoraMatrices>;
}

export function scalingOf({ rank, alpha, rankStabilized }: LoraShape): number {
  return rankStabilized ? alpha / Math.sqrt(rank) : alpha / rank;
}

function lastPart({ name }: LinearModule): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** The linear modules of an architecture that a shape targets, in the architecture's order. */
export function targetedModules(architecture: Architecture, shape: LoraShape): LinearModule[] {
  const wanted = new Set(shape.targetModules);
  return architecture.linearModules.filter((module) => wanted.has(lastPart(module)));
}

/** Target modules that mean every linear layer, in the architecture's order. */
export function everyTarget({ linearModules }: Architecture): string[] {
  return [...new Set(linearModules.map(lastPart))];
}

/** A fresh adapter as PEFT makes it: A uniform (Kaiming, a = sqrt 5), B zero, so that it changes nothing yet. */
export function freshAdapter(architecture: Architecture, shape: LoraShape, random: () => number): LoraAdapter {
  const matrices = new Map<string, LoraMatrices>();
  for (const { name, inputSize, outputSize } of targetedModules(architecture, shape)) {
    const bound = 1 / Math.sqrt(inputSize);
    const a = Float32Array.from({ length: shape.rank * inputSize }, () => bound * (2 * random() - 1));
    matrices.set(name, { a, b: new Float32Array(outputSize * shape.rank) });
  }
  return { shape, matrices };
}
