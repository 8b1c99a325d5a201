import { rejudge } from "../../reward/annotations/rejudge.ts";
import { loadReward } from "../../reward/reward.ts";
import type { Rejudge } from "../training/snapshot.ts";
import type { Scorer } from "./scorer.ts";

export interface Judge {
  scorer: Scorer;
  rejudge: Rejudge;
  close(): Promise<void>;
}

/**
 * The reward as the chat and the training runs use it.
 * @param path as `REWARD` gives it
 * @throws Error naming the file, and the place in it, that is missing or wrong
 */
export async function loadJudge(path: string | undefined): Promise<Judge> {
  const reward = await loadReward(path);
  return {
    scorer: {
      name: reward.name,
      version: reward.version,
      async judge(exchange) {
        const [judged] = await reward.judge([exchange]);
        if (judged === undefined) throw new Error(`The reward ${reward.name} was given an exchange and judged none`);
        return judged;
      },
      attributes: (text) => reward.attributes(text),
    },
    rejudge: (logged, value) => rejudge(logged, value, reward.annotationWeight),
    close: () => reward.dispose(),
  };
}
