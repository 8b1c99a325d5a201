/** What fresh rollouts are worth. */
import type { ChatMessage, FinishReason } from "../../engine/types.ts";
import { combineReward, rewardVersion } from "../../reward/combine.ts";
import { loadRewardModel } from "../../reward/load-reward-model.ts";
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

/** @param folder as the REWARD setting names it @throws Error naming the file that is missing or damaged */
export async function loadRolloutReward(folder: string): Promise<RolloutReward> {
  const model = await loadRewardModel(folder);
  const version = rewardVersion(model.version);
  return {
    version,
    async score(replies) {
      const scores = await model.score(replies.map(({ reply }) => reply));
      return scores.map((score, index) =>
        combineReward({ reply: replies[index]?.reply ?? "", score, annotations: [] }, version),
      );
    },
    dispose: () => model.dispose(),
  };
}
