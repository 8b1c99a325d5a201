/**
 * How fast this machine reads memory, by the runtime itself: what bounds decoding, which reads every weight for every
 * token. Two operators that do next to nothing per number run over a float32 array far larger than the caches, on as
 * many threads as decoding has; the faster one counts.
 */
import * as ops from "../engine/graph/ops.ts";
import { createSession, type HostTensor } from "../engine/runtime/session.ts";

const rows = 32_768;
const columns = 2048;
const runs = 7;

/** Bytes a second. */
export async function measureReadBandwidth(threads: number): Promise<number> {
  const matrix = ops.input("matrix", [rows, columns]);
  const vector = ops.input("vector", [1, rows]);
  const data: HostTensor = { data: new Float32Array(rows * columns).fill(1), shape: [rows, columns] };
  const ones: HostTensor = { data: new Float32Array(rows).fill(1), shape: [1, rows] };
  const bytes = 4 * rows * columns;
  let best = 0;
  for (const [expression, feeds] of [
    [ops.matmul(vector, matrix), { vector: ones, matrix: data }],
    [ops.reduceSum(matrix, [1]), { matrix: data }],
  ] as const) {
    const session = await createSession({ result: expression }, { threads, spin: true });
    for (let run = 0; run < runs; run++) {
      const began = performance.now();
      await session.run(feeds);
      best = Math.max(best, (1000 * bytes) / (performance.now() - began));
    }
    await session.dispose();
  }
  return best;
}
