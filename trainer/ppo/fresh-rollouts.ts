/**
 * Rollouts that the policy itself makes: each round it answers prompts as it is then, the reward scores the replies, and
 * PPO trains on them (the classic loop: Ziegler et al. 2019, Ouyang et al. 2022). A finished round lies in
 * `rollouts/round-N.jsonl`; one that was interrupted is sampled again to the same bits.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BaseModel } from "../../engine/checkpoint/base-model.ts";
import { randomStream } from "../../engine/generation/random.ts";
import { loadTokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { ExchangeReward } from "../../reward/types.ts";
import type { Rollouts, TrainingJob } from "../contract.ts";
import { shuffled } from "../pretrain/shuffle.ts";
import type { PpoSettings, RolloutSettings } from "../settings.ts";
import { TrainerError } from "../trainer-error.ts";
import { defaultRolloutSettings } from "./default-settings.ts";
import { fewestReplies, misfit } from "./logged-rollouts.ts";
import { createPolicySampler } from "./policy-sampler.ts";
import { loggedPrompts, type Prompt, readPrompts } from "./prompts.ts";
import type { RolloutSource } from "./rollout.ts";
import { loadRollouts, type SavedRollout, saveRollouts, toRollout } from "./rollout-file.ts";
import { type AnsweredPrompt, loadRolloutReward, type RolloutReward } from "./rollout-reward.ts";

/** Rounds of one seed are apart by this in the space of the sampling streams. */
const seedsPerRun = 2 ** 16;

/** The prompts of a round: all in an order that the seed decides, again and again in other orders. */
export function promptsOfRound<T>(prompts: readonly T[], round: number, perRound: number, seed: number): T[] {
  const [from, to] = [round * perRound, (round + 1) * perRound];
  const wanted: T[] = [];
  for (let pass = Math.floor(from / prompts.length); pass * prompts.length < to; pass++) {
    const start = pass * prompts.length;
    wanted.push(...shuffled(prompts, seed + pass).slice(Math.max(0, from - start), to - start));
  }
  return wanted;
}

function usablePrompts(
  job: TrainingJob,
  path: string | null,
  base: BaseModel,
  tokenizer: ReturnType<typeof loadTokenizer>,
  { maxTokens, maxTokensPerPass }: Pick<PpoSettings & RolloutSettings, "maxTokens" | "maxTokensPerPass">,
): { prompts: Prompt[]; discarded: Record<string, number> } {
  const { prompts, discarded } =
    path === null
      ? loggedPrompts(job.snapshot, job.snapshotSha256)
      : { prompts: readPrompts(path, tokenizer), discarded: {} as Record<string, number> };
  const fitting = prompts.filter(({ promptTokens }) => {
    const longestReply = Array.from({ length: maxTokens }, () => 0);
    const reason = misfit({ promptTokens, replyTokens: longestReply }, base.architecture, { maxTokensPerPass });
    if (reason !== null) discarded[reason] = (discarded[reason] ?? 0) + 1;
    return reason === null;
  });
  if (fitting.length > 0) return { prompts: fitting, discarded };
  const reasons = Object.entries(discarded).map(([reason, count]) => `, ${count} left out (${reason})`);
  throw new TrainerError("too_few_prompts", `${path ?? job.snapshot}: no prompt to answer${reasons.join("")}`);
}

async function judged(
  reward: RolloutReward,
  replies: readonly AnsweredPrompt[],
  round: number,
): Promise<ExchangeReward[]> {
  const failed = (why: string, cause?: unknown) =>
    new TrainerError("reward_failed", `round ${round + 1}: the reward ${reward.version} ${why}`, { cause });
  let rewards: ExchangeReward[];
  try {
    rewards = (await reward.judge(replies)).map((judged) => judged.reward);
  } catch (cause) {
    throw failed(`could not score ${replies.length} replies: ${(cause as Error).message}`, cause);
  }
  if (rewards.length !== replies.length) throw failed(`gave ${rewards.length} scores for ${replies.length} replies`);
  const wrong = rewards.findIndex(({ total }) => !Number.isFinite(total));
  if (wrong >= 0) throw failed(`gave ${rewards[wrong]?.total} for reply ${wrong}`);
  return rewards;
}

/** @throws TrainerError `bad_prompts`, `too_few_prompts`, `wrong_reward`, or as reading the snapshot does */
export async function freshRollouts(
  job: TrainingJob,
  asked: Extract<Rollouts, { source: "fresh" }>,
  base: BaseModel,
  settings: PpoSettings,
  loadReward: (path: string | null) => Promise<RolloutReward> = loadRolloutReward,
): Promise<RolloutSource> {
  const rollouts: RolloutSettings = { ...defaultRolloutSettings, ...asked };
  const { rounds, promptsPerRound, repliesPerPrompt, temperature, maxTokens } = rollouts;
  const tokenizer = loadTokenizer(job.model, base.architecture.vocabularySize);
  const { prompts, discarded } = usablePrompts(job, asked.prompts, base, tokenizer, { ...settings, maxTokens });
  if (promptsPerRound * repliesPerPrompt < fewestReplies) {
    throw new TrainerError("too_few_prompts", `a round needs at least ${fewestReplies} replies`);
  }
  const reward = await loadReward(asked.reward);
  if (reward.version !== job.rewardVersion) {
    await reward.dispose();
    const message = `${asked.reward ?? "the default reward"} is of version ${reward.version}, the job is to be trained on ${job.rewardVersion}`;
    throw new TrainerError("wrong_reward", message);
  }
  const { bytes, stopTokens, roleTags } = tokenizer;
  const sampler = await createPolicySampler(
    base,
    { bytes, stopTokens, roleTags },
    { ...settings, threads: job.threads },
  );
  const folder = join(job.outputDir, "rollouts");
  mkdirSync(folder, { recursive: true });

  const trainable = (rolled: readonly SavedRollout[]) =>
    rolled.filter(({ ended }) => ended || settings.cutReplies === "penalize").map(toRollout);

  return {
    rounds,
    repliesPerRound: promptsPerRound * repliesPerPrompt,
    exchanges: prompts.length,
    discarded,
    async round(index, policy, { hasBegun, signal }) {
      const path = join(folder, `round-${index + 1}.jsonl`);
      const saved = loadRollouts(path);
      if (saved !== null) return trainable(saved);
      if (hasBegun) throw new TrainerError("bad_snapshot", `${path}: is gone although the run is in the middle of it`);

      const draw = randomStream(settings.seed * seedsPerRun + index);
      const answered = promptsOfRound(prompts, index, promptsPerRound, settings.seed)
        .flatMap((prompt) => Array.from({ length: repliesPerPrompt }, () => prompt))
        .map((prompt) => ({ ...prompt, maxTokens, temperature, seed: Math.floor(draw() * 2 ** 53) }));
      const results = await sampler.sample(policy, answered, signal);
      if (results === null) return null;
      const replies = results.map(({ text, finishReason }, row) => {
        return { messages: answered[row]?.messages ?? [], reply: text, finishReason };
      });
      const rewards = await judged(reward, replies, index);
      const rolled = replies.map((reply, row): SavedRollout => {
        const { promptTokens, exchange } = answered[row] as (typeof answered)[number];
        const { tokens, logProbs } = results[row] as (typeof results)[number];
        return {
          id: `round ${index + 1}, reply ${row + 1}`,
          exchange,
          ...reply,
          promptTokens,
          replyTokens: tokens,
          logProbs,
          temperature,
          ended: reply.finishReason === "stop",
          reward: rewards[row] as ExchangeReward,
        };
      });
      saveRollouts(path, rolled);
      return trainable(rolled);
    },
    dispose: async () => {
      await Promise.all([sampler.dispose(), reward.dispose()]);
    },
  };
}
