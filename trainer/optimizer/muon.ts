/**
 * Muon (Jordan et al. 2024): momentum whose matrices are orthogonalized before the step, so that every direction of a
 * weight matrix moves alike. For the matrices inside a transformer; embeddings, head and norms take AdamW.
 */
import * as ops from "../../engine/graph/ops.ts";
import type { Tensor } from "../../engine/graph/tensor.ts";
import { createSession, floats, type GraphSession } from "../../engine/runtime/session.ts";

/** Quintic Newton-Schulz coefficients of the reference implementation: they drive singular values towards 1. */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;

/** U V^T of each matrix [count, rows, columns], roughly: singular values end between 0.7 and 1.2. */
function orthogonalized(matrices: Tensor, rows: number, columns: number): Tensor {
  const wide = rows <= columns ? matrices : ops.transposeLast(matrices);
  const squares = ops.reduceSum(ops.mul(wide, wide), [1, 2], true);
  let x = ops.div(wide, ops.add(ops.sqrt(squares), ops.scalar(1e-7)));
  for (let i = 0; i < iterations; i++) {
    const gram = ops.matmul(x, ops.transposeLast(x));
    const polynomial = ops.add(ops.scale(gram, b), ops.scale(ops.matmul(gram, gram), c));
    x = ops.add(ops.scale(x, a), ops.matmul(polynomial, x));
  }
  return rows <= columns ? x : ops.transposeLast(x);
}

export interface Orthogonalizer {
  /** @param matrices [count * rows * columns], the matrices one after another */
  run(matrices: Float32Array, count: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

export async function createOrthogonalizer(rows: number, columns: number, threads: number): Promise<Orthogonalizer> {
  const matrices = ops.input("matrices", ["count", rows, columns]);
  const session: GraphSession<"result"> = await createSession(
    { result: orthogonalized(matrices, rows, columns) },
    { threads },
  );
  return {
    run: async (data, count) =>
      floats((await session.run({ matrices: { data, shape: [count, rows, columns] } })).result),
    dispose: () => session.dispose(),
  };
}

/** Nesterov momentum as a moving average: m = u m + (1-u) g, direction = (1-u) g + u m, written to `out` from `at`. */
export function nesterov(
  gradient: Float32Array,
  buffer: Float32Array,
  momentum: number,
  out: Float32Array,
  at: number,
): void {
  for (let i = 0; i < gradient.length; i++) {
    const g = gradient[i] as number;
    const next = momentum * (buffer[i] as number) + (1 - momentum) * g;
    buffer[i] = next;
    out[at + i] = (1 - momentum) * g + momentum * next;
  }
}
