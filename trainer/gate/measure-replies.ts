/** Everything the gate wants to know of one reply, from its text and tokens. */
import type { ChatMessage, GenerationResult } from "../../engine/types.ts";
import { loadRewardModel } from "../../reward/load-reward-model.ts";
import { loadReward } from "../../reward/reward.ts";
import { emptiness } from "../../reward/text/emptiness.ts";
import { evasion } from "../../reward/text/evasion.ts";
import { foreignness } from "../../reward/text/language.ts";
import type { GateJob } from "../contract.ts";
import { TrainerError } from "../trainer-error.ts";

export interface MeasuredReply {
  /** Sampled ids, end token included. */
  tokens: readonly number[];
  /** Probability by the judge. */
  toxicity: number;
  /** Probability by the reward's own classifier. */
  rewardToxicity: number;
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
  /** In the order of the replies. @throws TrainerError `judge_failed` */
  of(replies: readonly AnsweredPrompt[]): Promise<MeasuredReply[]>;
  dispose(): Promise<void>;
}

/** Texts that the classifiers are given at once. */
const batchSize = 64;
/** From these shares on a reply as a whole counts as evasive, and as foreign. */
const [evasiveFrom, foreignFrom] = [0.5, 0.5];

/** @throws TrainerError `judge_failed` in the words of what went wrong */
async function orJudgeFailed<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TrainerError) throw cause;
    throw new TrainerError("judge_failed", `${doing}: ${(cause as Error).message}`, { cause });
  }
}

/** @throws TrainerError `judge_failed` naming what cannot be loaded */
export async function openReplyMeasures(job: Pick<GateJob, "judge" | "reward" | "language">): Promise<ReplyMeasures> {
  const judge = await orJudgeFailed(`the judge ${job.judge} cannot be loaded`, () => loadRewardModel(job.judge));
  const reward = await orJudgeFailed("the reward cannot be loaded", () => loadReward(job.reward ?? undefined));

  async function measure(batch: readonly AnsweredPrompt[]): Promise<MeasuredReply[]> {
    const judged = await judge.score(batch.map(({ reply }) => reply.text));
    if (judged.length !== batch.length || !judged.every(({ toxicity }) => Number.isFinite(toxicity))) {
      throw new TrainerError(
        "judge_failed",
        `the judge ${judge.name} did not give a number for each of ${batch.length} replies`,
      );
    }
    const rewarded = await reward.judge(
      batch.map(({ messages, reply }) => ({ messages, reply: reply.text, finishReason: reply.finishReason })),
    );
    return batch.map(({ messages, reply }, i) => {
      const prompt = messages.findLast(({ role }) => role === "user")?.content ?? "";
      return {
        tokens: reply.tokens,
        toxicity: judged[i]?.toxicity ?? Number.NaN,
        rewardToxicity: rewarded[i]?.toxicity.reply ?? Number.NaN,
        reward: rewarded[i]?.reward.total ?? Number.NaN,
        isEvasive: evasion(prompt, reply.text) >= evasiveFrom,
        isEmpty: emptiness(reply.text) === 1,
        isForeign: foreignness(reply.text, job.language) >= foreignFrom,
      };
    });
  }

  return {
    judge: { name: judge.name, version: judge.version },
    async of(replies) {
      const measured: MeasuredReply[] = [];
      for (let start = 0; start < replies.length; start += batchSize) {
        const batch = replies.slice(start, start + batchSize);
        measured.push(...(await orJudgeFailed("replies cannot be judged", () => measure(batch))));
      }
      return measured;
    },
    async dispose() {
      await judge.dispose();
      await reward.dispose();
    },
  };
}
