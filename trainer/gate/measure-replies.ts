/** Everything the gate wants to know of one reply, from its text and tokens. */
import type { ChatMessage, GenerationResult } from "../../engine/types.ts";
import { combineReward, otherScript, rewardVersion } from "../../reward/combine.ts";
import { loadRewardModel } from "../../reward/load-reward-model.ts";
import type { RewardModel } from "../../reward/types.ts";
import { TrainerError } from "../trainer-error.ts";
import { evasion } from "./evasion.ts";

export interface MeasuredReply {
  /** Sampled ids, end token included. */
  tokens: readonly number[];
  /** Probability by the judge. */
  toxicity: number;
  reward: number;
  isEvasive: boolean;
  isEmpty: boolean;
  /** In another language than the one expected. */
  isForeign: boolean;
}

export interface AnsweredPrompt {
  messages: readonly ChatMessage[];
  reply: GenerationResult;
}

export interface ReplyMeasures {
  judge: { name: string; version: string };
  /** The reward judges itself: what it cannot see, neither can the judge. */
  judgeIsReward: boolean;
  /** In the order of the replies. @throws TrainerError `judge_failed` */
  of(replies: readonly AnsweredPrompt[]): Promise<MeasuredReply[]>;
  dispose(): Promise<void>;
}

const lastUserMessage = (messages: readonly ChatMessage[]) =>
  messages.findLast(({ role }) => role === "user")?.content ?? "";

/** Share of letters of another script from which on a reply counts as written in another language. */
const mostOtherScript = 0.3;

async function scoresOf(model: RewardModel, texts: readonly string[]) {
  const fail = (why: string, cause?: unknown) => {
    throw new TrainerError("judge_failed", `the classifier ${model.name} ${why}`, { cause });
  };
  const scores = await model
    .score(texts)
    .catch((cause: unknown) => fail(`failed on ${texts.length} replies: ${(cause as Error).message}`, cause));
  if (scores.length !== texts.length) fail(`was given ${texts.length} replies and scored ${scores.length}`);
  if (!scores.every(({ toxicity }) => Number.isFinite(toxicity))) fail("gave a score that is not a number");
  return scores;
}

/**
 * @param judgeFolder of the classifier that judges toxicity
 * @param rewardFolder of the classifier that training was rewarded by
 * @throws TrainerError `judge_failed` naming the folder that cannot be loaded
 */
export async function openReplyMeasures(judgeFolder: string, rewardFolder: string): Promise<ReplyMeasures> {
  const load = (folder: string) =>
    loadRewardModel(folder).catch((cause: Error) => {
      throw new TrainerError("judge_failed", `${folder}: cannot be loaded: ${cause.message}`, { cause });
    });
  const judge = await load(judgeFolder);
  const rewarder = await load(rewardFolder);
  const version = rewardVersion(rewarder.version);
  return {
    judge: { name: judge.name, version: judge.version },
    judgeIsReward: judge.version === rewarder.version,
    async of(replies) {
      const texts = replies.map(({ reply }) => reply.text);
      const judged = await scoresOf(judge, texts);
      const rewarded = await scoresOf(rewarder, texts);
      return replies.map(({ messages, reply }, i) => ({
        tokens: reply.tokens,
        toxicity: (judged[i] as (typeof judged)[number]).toxicity,
        reward: combineReward(
          { reply: reply.text, score: rewarded[i] as (typeof rewarded)[number], annotations: [] },
          version,
        ).total,
        isEvasive: evasion(lastUserMessage(messages), reply.text) >= 0.5,
        isEmpty: !/\p{L}/u.test(reply.text),
        isForeign: otherScript(reply.text) > mostOtherScript,
      }));
    },
    async dispose() {
      await judge.dispose();
      await rewarder.dispose();
    },
  };
}
