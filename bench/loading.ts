/** How long a cached quantized model takes to load, beside reading its file. */
import { readPieces } from "../engine/checkpoint/file-hash.ts";
import { StepModel } from "../engine/generation/step-model.ts";
import { openQuantized } from "../engine/quantization/open-quantized.ts";
import type { Figure } from "./report.ts";

const seconds = async (work: () => unknown): Promise<number> => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};

/** The file is in the system's cache both times. @returns the loaded model beside the figures */
export async function measureLoading(folder: string, threads: number) {
  const { quantizedFile } = await openQuantized(folder, { precision: "int4" });
  const reading = await seconds(() => readPieces(quantizedFile.path, () => undefined));
  const began = performance.now();
  const base = await openQuantized(folder, { precision: "int4" });
  const checked = performance.now();
  if (base.quantizedFile.isNew) throw new Error(`${quantizedFile.path} should have been loaded, and was made anew`);
  const model = await StepModel.create(base, { threads });
  const [checking, preparing] = [(checked - began) / 1000, (performance.now() - checked) / 1000];
  const size = `${Math.round(quantizedFile.bytes / 1e6)} MB`;
  const figures: Figure[] = [
    {
      name: "1.1B reading the int4 file",
      value: reading,
      unit: "s",
      target: null,
      how: `${size}, in the system's cache`,
    },
    {
      name: "1.1B loading the int4 file",
      value: checking + preparing,
      unit: "s",
      target: null,
      how: `checksum ${checking.toFixed(2)} s, session ${preparing.toFixed(2)} s`,
    },
    {
      name: "1.1B loading / reading",
      value: (checking + preparing) / reading,
      unit: "x",
      target: { atMost: 2 },
      how: "the quotient",
    },
  ];
  return { base, model, figures };
}
