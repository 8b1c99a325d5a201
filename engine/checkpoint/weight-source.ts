/** Where sessions find weights that lie in arrays. */
import type { WeightSource } from "../runtime/session.ts";

/** One buffer a tensor, under its own name. */
export function weightSource(tensors: ReadonlyMap<string, Float32Array>): WeightSource {
  const entries = [...tensors].map(
    ([name, data]) => [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] as const,
  );
  const buffers = Object.fromEntries(entries);
  return { buffers, locate: (name) => ({ file: name, offset: 0, length: buffers[name]?.byteLength ?? 0 }) };
}

/** A source with more tensors beside those it has. */
export function withTensors(source: WeightSource, tensors: ReadonlyMap<string, Float32Array>): WeightSource {
  const added = weightSource(tensors);
  return {
    ...source,
    buffers: { ...source.buffers, ...added.buffers },
    locate: (name) => (tensors.has(name) ? added : source).locate(name),
  };
}
