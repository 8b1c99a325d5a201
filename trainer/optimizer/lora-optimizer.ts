/** AdamW over named matrices, with the gradient clipped by its global norm first. Its state is data. */
import { type AdamState, type AdamWOptions, adamWStep, createAdamState } from "./adamw.ts";

export type NamedArrays = ReadonlyMap<string, Float32Array>;

export function createAdamStates(parameters: NamedArrays): Map<string, AdamState> {
  return new Map([...parameters].map(([name, data]) => [name, createAdamState(data.length)]));
}

/** Parameters and moments under the names a checkpoint keeps them by. */
export function checkpointTensors(
  parameters: NamedArrays,
  states: ReadonlyMap<string, AdamState>,
): Map<string, Float32Array> {
  const tensors = new Map<string, Float32Array>();
  for (const [name, data] of parameters) tensors.set(`parameter:${name}`, data);
  for (const [name, { m, v }] of states) {
    tensors.set(`m:${name}`, m);
    tensors.set(`v:${name}`, v);
  }
  return tensors;
}

/** sqrt of the sum of squares over all arrays. NaN or infinite where any value is. */
export function globalNorm(arrays: Iterable<Float32Array>): number {
  let sum = 0;
  for (const array of arrays) for (const value of array) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * One step in place. Gradients longer than `maxNorm` are scaled down to it (Pascanu et al. 2013).
 *
 * @param step counts from 1
 * @returns the norm before clipping
 */
export function clippedAdamWStep(
  parameters: NamedArrays,
  gradients: NamedArrays,
  states: ReadonlyMap<string, AdamState>,
  step: number,
  options: AdamWOptions & { maxNorm: number },
): number {
  const norm = globalNorm(gradients.values());
  const factor = norm > options.maxNorm ? options.maxNorm / norm : 1;
  for (const [name, data] of parameters) {
    const gradient = gradients.get(name);
    const state = states.get(name);
    if (gradient === undefined || state === undefined) throw new Error(`no gradient or optimizer state for ${name}`);
    if (factor < 1) for (let i = 0; i < gradient.length; i++) gradient[i] = (gradient[i] as number) * factor;
    adamWStep(data, gradient, state, step, options);
  }
  return norm;
}
