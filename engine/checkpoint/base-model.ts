/** A base model ready to be put into graphs, whatever precision its weights have. */
import type { Architecture, FrozenContext } from "../architectures/architecture.ts";
import type { WeightSource } from "../runtime/session.ts";
import type { ModelInfo } from "../types.ts";

export interface BaseModel {
  folder: string;
  architecture: Architecture;
  /** Number of weights. */
  parameters: number;
  /** sha256 of the checkpoint's own weights, quantized or not: what adapters name their base by. */
  sha256: string;
  quantization: ModelInfo["quantization"];
  /** Its weights as expressions, each the same leaf however often it is asked for. A graph takes one context. */
  frozen(): FrozenContext;
  /** Where a session finds these leaves. */
  source: WeightSource;
}
