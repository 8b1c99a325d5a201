/** Rotary position embeddings (Su et al. 2021) as tables of angles, half-split as in Llama. */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type RopeScaling, rotaryFrequencies } from "./rotary-frequencies.ts";

export interface RotaryConfig {
  theta: number;
  /** Leading dimensions of each head that are rotated. */
  rotated: number;
  scaling?: RopeScaling;
}

/** cos and sin of position * frequency, each [longest, rotated/2]. */
function rotaryTables(longest: number, { theta, rotated, scaling }: RotaryConfig) {
  const half = rotated / 2;
  const { frequencies, attention } = rotaryFrequencies(rotated, theta, scaling);
  const cosines = new Float32Array(longest * half);
  const sines = new Float32Array(longest * half);
  for (let position = 0; position < longest; position++) {
    for (const [i, frequency] of frequencies.entries()) {
      cosines[position * half + i] = attention * Math.cos(position * frequency);
      sines[position * half + i] = attention * Math.sin(position * frequency);
    }
  }
  return { cosines: ops.constant(cosines, [longest, half]), sines: ops.constant(sines, [longest, half]) };
}

/** Turns heads [batch, heads, time, d] by their tokens' positions; dimensions behind the rotated ones pass. */
export function rotation(positions: Tensor, longest: number, config: RotaryConfig): (x: Tensor) => Tensor {
  const { cosines, sines } = rotaryTables(longest, config);
  return (x) => {
    const size = x.shape[3] as number;
    if (size === config.rotated) return ops.rotary(x, positions, cosines, sines);
    const turned = ops.rotary(ops.slice(x, 3, 0, config.rotated), positions, cosines, sines);
    return ops.concat([turned, ops.slice(x, 3, config.rotated, size - config.rotated)], 3);
  };
}
