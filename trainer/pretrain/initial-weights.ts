/** Fresh weights for a Llama-shaped model. */
import type { Architecture } from "../../engine/architectures/architecture.ts";
import { seededRandom } from "./shuffle.ts";

/**
 * Matrices uniform with variance 1 / inputs; the projections that write to the residual stream zero, so that the model
 * begins as the identity (Zhang et al. 2019); embeddings normal; head small, so that the first loss is ln(vocabulary).
 */
export function initialWeights(architecture: Architecture, seed: number): Map<string, Float32Array> {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const weights = new Map<string, Float32Array>();
  for (const [name, shape] of architecture.parameters) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const inputs = shape[1] ?? 1;
    if (shape.length === 1) data.fill(name.endsWith(".bias") ? 0 : 1);
    else if (name.endsWith("embed_tokens.weight")) for (let i = 0; i < data.length; i++) data[i] = 0.5 * normal();
    else if (name === "lm_head.weight") for (let i = 0; i < data.length; i++) data[i] = 0.001 * normal();
    else if (!/o_proj|down_proj/.test(name)) {
      const bound = Math.sqrt(3 / inputs);
      for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random() - 1);
    }
    weights.set(name, data);
  }
  return weights;
}
