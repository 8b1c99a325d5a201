/** Angles of rotary position embeddings. */
import * as ops from "../graph/ops.ts";
import type { Tensor } from "../graph/tensor.ts";

/** cos and sin of position * theta^(-2i/d), each [longest, d/2] (Su et al. 2021, half-split as in Llama). */
export function rotaryTables(longest: number, headSize: number, theta: number): { cosines: Tensor; sines: Tensor } {
  const half = headSize / 2;
  const cosines = new Float32Array(longest * half);
  const sines = new Float32Array(longest * half);
  for (let position = 0; position < longest; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * theta ** (-i / half);
      cosines[position * half + i] = Math.cos(angle);
      sines[position * half + i] = Math.sin(angle);
    }
  }
  return { cosines: ops.constant(cosines, [longest, half]), sines: ops.constant(sines, [longest, half]) };
}
