/** A checkpoint folder in the precision that is asked for. */
import type { BaseModel } from "./checkpoint/base-model.ts";
import { readCheckpoint } from "./checkpoint/checkpoint.ts";
import { openQuantized } from "./quantization/open-quantized.ts";
import type { ModelInfo } from "./types.ts";

export interface BaseModelOptions {
  /** Default "none": the weights as they are. */
  quantization?: ModelInfo["quantization"];
  /** Where quantized weights are kept when they cannot lie beside the checkpoint. */
  cacheDir?: string;
  /**
   * Gradients through int8 layers (not the head) are rounded to eight bits a row, as activations are: faster, at the
   * price of a second copy of the int8 weights. Only with "int8". Default false: weights are dequantized for gradients.
   */
  roundGradients?: boolean;
}

/** @throws CheckpointError naming the file and what is wrong with it */
export async function openBaseModel(
  folder: string,
  { quantization = "none", cacheDir, roundGradients }: BaseModelOptions = {},
): Promise<BaseModel> {
  if (quantization === "none") return readCheckpoint(folder);
  return openQuantized(folder, { precision: quantization, cacheDir, roundGradients });
}
