/** A round of fresh rollouts on disk: there whole or not at all, and read back to the same bits. */
import { existsSync, readFileSync } from "node:fs";
import type { ExchangeReward } from "../../reward/types.ts";
import { writeFileAtomically } from "../checkpoint/write-file-atomically.ts";
import type { Rollout } from "./rollout.ts";
import type { AnsweredPrompt } from "./rollout-reward.ts";

/** A line of `rollouts/round-N.jsonl`: what is trained on beside what a person wants to read. */
export interface SavedRollout extends Omit<Rollout, "behaviourLogProbs" | "reward">, AnsweredPrompt {
  logProbs: number[];
  reward: ExchangeReward;
}

export function saveRollouts(path: string, rollouts: readonly SavedRollout[]): void {
  writeFileAtomically(path, Buffer.from(rollouts.map((rollout) => `${JSON.stringify(rollout)}\n`).join("")));
}

/** Null where the round has not been saved. */
export function loadRollouts(path: string): SavedRollout[] | null {
  if (!existsSync(path)) return null;
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as SavedRollout);
}

export function toRollout({ logProbs, reward, ...rest }: SavedRollout): Rollout {
  return {
    id: rest.id,
    exchange: rest.exchange,
    promptTokens: rest.promptTokens,
    replyTokens: rest.replyTokens,
    behaviourLogProbs: Float32Array.from(logProbs),
    temperature: rest.temperature,
    reward: reward.total,
    ended: rest.ended,
  };
}
