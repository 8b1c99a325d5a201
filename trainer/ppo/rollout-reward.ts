/** What fresh rollouts are worth: of the reward, the part that training looks at. */
import type { ChatMessage, FinishReason } from "../../engine/types.ts";
import { loadReward } from "../../reward/reward.ts";
import type { ExchangeReward } from "../../reward/types.ts";

export interface AnsweredPrompt {
  messages: readonly ChatMessage[];
  reply: string;
  finishReason: FinishReason;
}

export interface RolloutReward {
  readonly version: string;
  /** One reward a reply, in order. */
  score(replies: readonly AnsweredPrompt[]): Promise<ExchangeReward[]>;
  dispose(): Promise<void>;
}

/**
 * @param path as the REWARD setting names it; null for the default reward
 * @throws Error naming the file that is missing or damaged
 */
export async function loadRolloutReward(path: string | null): Promise<RolloutReward> {
  const reward = await loadReward(path ?? undefined);
  return {
    version: reward.version,
    score: async (replies) => (await reward.judge(replies)).map((judged) => judged.reward),
    dispose: () => reward.dispose(),
  };
}
