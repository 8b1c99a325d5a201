/** The result of a run: a PEFT folder with `rejoinder.json`, which says where the adapter comes from. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { BaseModel } from "../engine/checkpoint/base-model.ts";
import type { LoraAdapter } from "../engine/lora/adapter.ts";
import { writePeftAdapter } from "../engine/lora/peft.ts";
import type { LoraScorer } from "./lora-scorer.ts";
import type { TokenSequence } from "./token-sequences.ts";

/** One sequence as the finished adapter scores it, so that a server can tell whether it serves this adapter. */
export interface AdapterProbe {
  tokens: number[];
  /** logProbs[i] (nats, temperature 1) belongs to tokens[from + i]. */
  from: number;
  logProbs: number[];
}

export interface AdapterOrigin {
  name: string;
  version: number;
  /** The adapter that training started from; null when it started from the base model. */
  parent: { name: string; version: number; sha256: string } | null;
  run: string;
  /** Null where no reward was involved. */
  rewardVersion: string | null;
  metrics: Record<string, number>;
  probe: AdapterProbe;
}

/**
 * Writes the folder whole or not at all, in the place of an earlier one.
 * @returns the sha256 of its adapter_model.safetensors
 */
export function writeAdapterFolder(
  folder: string,
  adapter: LoraAdapter,
  base: BaseModel,
  origin: AdapterOrigin,
): string {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const sha256 = writePeftAdapter(partial, adapter, basename(base.folder));
  const manifest = {
    ...origin,
    sha256,
    baseModel: { id: basename(base.folder), sha256: base.sha256, quantization: base.quantization },
  };
  writeFileSync(join(partial, "rejoinder.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
  return sha256;
}

/** @param scorer of adapters of this shape */
export async function probeOf(
  scorer: Pick<LoraScorer, "score">,
  adapter: LoraAdapter,
  { promptTokens, replyTokens }: TokenSequence,
): Promise<AdapterProbe> {
  const [scores] = await scorer.score(adapter, [{ promptTokens, replyTokens, temperature: 1 }]);
  return {
    tokens: [...promptTokens, ...replyTokens],
    from: promptTokens.length,
    logProbs: [...(scores?.logProbs ?? [])],
  };
}
