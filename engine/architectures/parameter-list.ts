/** The tensors that a checkpoint must hold, gathered from an architecture's parts. */
import { type LinearModule, linearParameters } from "./architecture.ts";

export interface ParameterParts {
  /** Embeddings by name, [rows, columns]. */
  embeddings: Readonly<Record<string, readonly [number, number]>>;
  linear: readonly LinearModule[];
  /** Names of norms without `.weight`, with their size. */
  norms: readonly (readonly [name: string, size: number])[];
  /** Whether norms have a `.bias` too. */
  normBias: boolean;
}

export function parameterList({ embeddings, linear, norms, normBias }: ParameterParts) {
  const parameters = new Map<string, readonly number[]>(Object.entries(embeddings));
  for (const module of linear) for (const [name, shape] of linearParameters(module)) parameters.set(name, shape);
  for (const [name, size] of norms) {
    parameters.set(`${name}.weight`, [size]);
    if (normBias) parameters.set(`${name}.bias`, [size]);
  }
  return parameters;
}
