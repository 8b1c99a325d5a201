import { rejudge } from "../../reward/annotations/rejudge.ts";
import { combineReward, defaultRewardWeights, rewardVersion } from "../../reward/combine.ts";
import { loadRewardModel } from "../../reward/load-reward-model.ts";
import type { Rejudge } from "../training/snapshot.ts";
import type { Scorer } from "./scorer.ts";

export interface Judge {
  scorer: Scorer;
  rejudge: Rejudge;
  close(): Promise<void>;
}

/**
 * The reward model of a folder, as the chat and the training runs use it.
 * @throws Error naming the file that is missing or damaged
 */
export async function loadJudge(folder: string): Promise<Judge> {
  const model = await loadRewardModel(folder);
  const version = rewardVersion(model.version);
  const scorer: Scorer = {
    name: model.name,
    version,

    async judge({ messages, reply }) {
      const said = messages.findLast((message) => message.role === "user")?.content ?? "";
      const [prompt, answer] = await model.score([said, reply]);
      if (prompt === undefined || answer === undefined) {
        throw new Error(`The reward model ${model.name} was given 2 texts and did not score both`);
      }
      return {
        toxicity: {
          prompt: prompt.toxicity,
          reply: answer.toxicity,
          attributes: { ...answer.attributes, TOXICITY: answer.toxicity },
        },
        reward: combineReward({ reply, score: answer }, version),
      };
    },

    async attributes(text) {
      const [score] = await model.score([text]);
      if (score === undefined) throw new Error(`The reward model ${model.name} did not score a text`);
      return { ...score.attributes, TOXICITY: score.toxicity };
    },
  };
  return {
    scorer,
    rejudge: (logged, value) => rejudge(logged, value, defaultRewardWeights.annotation),
    close: () => model.dispose(),
  };
}
