/** Test support: the table of architectures and precisions that the parity test prints. */
import type { BaseModel } from "../checkpoint/base-model.ts";

type Quantization = BaseModel["quantization"];

interface Row {
  logits: Partial<Record<Quantization, number>>;
  gradients: Partial<Record<Quantization, number>>;
}

const heading = ["architecture", "none: |logit|", "|gradient|", "int8: rms", "cosine", "int4: rms", "cosine"];

const small = (value?: number) => value?.toExponential(1) ?? "-";
const share = (value?: number) => value?.toFixed(4) ?? "-";

export function parityTable() {
  const rows = new Map<string, Row>();
  return {
    /** Remembers what was measured of one architecture in one precision. */
    note(name: string, of: keyof Row, precision: Quantization, value: number): void {
      const row = rows.get(name) ?? { logits: {}, gradients: {} };
      row[of][precision] = value;
      rows.set(name, row);
    },

    print(): string {
      const lines = [...rows].map(([name, { logits, gradients }]) => [
        ...[name, small(logits.none), small(gradients.none)],
        ...[share(logits.int8), share(gradients.int8), share(logits.int4), share(gradients.int4)],
      ]);
      const cells = [heading, ...lines];
      const widths = heading.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
      const aligned = cells.map(([name = "", ...values]) => [
        name.padEnd(widths[0] ?? 0),
        ...values.map((value, column) => value.padStart(widths[column + 1] ?? 0)),
      ]);
      return [
        "Parity with transformers and PEFT in float32. none: largest difference of a logit, and of a LoRA gradient as a",
        "share of the matrix's largest; int8, int4: relative RMS error of the logits, cosine of the LoRA gradient.",
        ...aligned.map((row) => row.join("  ")),
      ].join("\n");
    },
  };
}
