/** Where a run starts: the adapter it continues, or a fresh one. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../engine/architectures/architecture.ts";
import { everyTarget, freshAdapter, type LoraAdapter } from "../engine/lora/adapter.ts";
import { readPeftAdapter } from "../engine/lora/peft.ts";
import type { TrainingJob } from "./contract.ts";
import { seededRandom } from "./pretrain/shuffle.ts";
import type { PpoSettings } from "./settings.ts";
import { TrainerError } from "./trainer-error.ts";

type Start = Pick<TrainingJob, "parentAdapter">;

/**
 * The adapter that a run continues, or a fresh one on every linear layer that changes nothing yet.
 *
 * @throws TrainerError `wrong_parent` when its file is not the one that the job names, CheckpointError when it does not fit
 */
export function startingAdapter(
  { parentAdapter }: Start,
  architecture: Architecture,
  { rank, alpha, seed }: Pick<PpoSettings, "rank" | "alpha" | "seed">,
): LoraAdapter {
  if (parentAdapter === null) {
    const shape = { rank, alpha, targetModules: everyTarget(architecture), rankStabilized: false };
    return freshAdapter(architecture, shape, seededRandom(seed));
  }
  const adapter = readPeftAdapter(parentAdapter.folder, architecture);
  const file = join(parentAdapter.folder, "adapter_model.safetensors");
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (sha256 !== parentAdapter.sha256) {
    throw new TrainerError("wrong_parent", `${file}: has sha256 ${sha256}, the job continues ${parentAdapter.sha256}`);
  }
  return adapter;
}

/** As `rejoinder.json` names it. */
export function parentOf({ parentAdapter }: Start): { name: string; version: number; sha256: string } | null {
  if (parentAdapter === null) return null;
  const { name, version, sha256 } = parentAdapter;
  return { name, version, sha256 };
}
