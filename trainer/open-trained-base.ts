/** The frozen base model as a run trains on it. */
import type { BaseModel } from "../engine/checkpoint/base-model.ts";
import { type BaseModelOptions, openBaseModel } from "../engine/open-base-model.ts";
import type { OptimizerSettings } from "./settings.ts";
import { TrainerError } from "./trainer-error.ts";

/** @throws TrainerError `bad_job` for rounded gradients over other weights than int8; CheckpointError */
export async function openTrainedBase(
  folder: string,
  { quantization, cacheDir }: Omit<BaseModelOptions, "roundGradients">,
  gradients: OptimizerSettings["gradients"],
): Promise<BaseModel> {
  const roundGradients = gradients === "rounded";
  if (roundGradients && quantization !== "int8") {
    const precision = quantization === undefined || quantization === "none" ? "unquantized" : quantization;
    throw new TrainerError("bad_job", `gradients "rounded" needs int8 weights, the base model is ${precision}`);
  }
  return openBaseModel(folder, { quantization, cacheDir, roundGradients });
}
