/** How much of what memory bandwidth allows a measured decoding rate is. */
import type { Architecture } from "../engine/architectures/architecture.ts";
import { bytesPerElement } from "../engine/checkpoint/safetensors.ts";
import { entriesOf, planParts } from "../engine/quantization/layout.ts";
import { measureReadBandwidth } from "./bandwidth.ts";
import type { Figure } from "./report.ts";

/** Bytes of weights that every int4 decoding step reads: all but the table of which it looks up a row. */
function bytesPerToken(architecture: Architecture): number {
  const entries = planParts(architecture, "int4")
    .filter(({ kind }) => kind !== "table")
    .flatMap((part) => entriesOf(part, architecture));
  return entries.reduce((sum, [, { type, shape }]) => {
    return sum + shape.reduce((product, size) => product * size, bytesPerElement[type]);
  }, 0);
}

export async function bandwidthShare(architecture: Architecture, rate: number, threads: number): Promise<Figure[]> {
  const bandwidth = await measureReadBandwidth(threads);
  const bytes = bytesPerToken(architecture);
  return [
    {
      name: "memory bandwidth, reading",
      value: bandwidth / 1e9,
      unit: "GB/s",
      target: null,
      how: `best of MatMul and ReduceSum over 268 MB, ${threads} threads`,
    },
    {
      name: "1.1B decode, share of what bandwidth allows",
      value: (100 * rate) / (bandwidth / bytes),
      unit: "%",
      target: { atLeast: 85 },
      how: `${Math.round(bytes / 1e6)} MB of weights a token`,
    },
  ];
}
