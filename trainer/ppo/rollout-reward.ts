/** What fresh rollouts are worth, by the reward that the server judges with. */
import { loadReward } from "../../reward/reward.ts";
import type { ExchangeToJudge, Reward } from "../../reward/types.ts";

export type AnsweredPrompt = ExchangeToJudge;

/** The part of a reward that rollouts need. */
export type RolloutReward = Pick<Reward, "version" | "judge" | "dispose">;

/** @param path as the REWARD setting has it; null for the default reward */
export function loadRolloutReward(path: string | null): Promise<RolloutReward> {
  return loadReward(path ?? undefined);
}
