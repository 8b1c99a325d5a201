import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { hashFile } from "../../engine/checkpoint/file-hash.ts";
import { everyTarget, freshAdapter } from "../../engine/lora/adapter.ts";
import { loadTokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { JudgedExchange } from "../../reward/types.ts";
import type { Rollouts, TrainingEvent, TrainingJob } from "../contract.ts";
import { createLoraScorer } from "../lora-scorer.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { createRunReporter } from "../run-reporter.ts";
import { sampleChatVocabulary, writeSampleChatModel } from "../sample-chat-model.ts";
import { promptsOfRound } from "./fresh-rollouts.ts";
import { createPolicySampler } from "./policy-sampler.ts";
import { ppo } from "./ppo.ts";
import { loadRollouts } from "./rollout-file.ts";
import type { RolloutReward } from "./rollout-reward.ts";
import { sampleExchange, writeExchanges } from "./sample-log.ts";

const never = new AbortController().signal;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fresh-rollouts-"));
  writeSampleChatModel(join(folder, "model"));
  const prompts = Array.from({ length: 6 }, (_, i) => ({
    messages: [{ role: "user", content: `Say ${i}.` }],
  }));
  writeFileSync(join(folder, "prompts.jsonl"), prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join(""));
  writeExchanges(join(folder, "snapshot.jsonl"), []);
});

afterEach(() => rmSync(folder, { recursive: true }));

type Fresh = Extract<Rollouts, { source: "fresh" }>;

function jobOf(name: string, rollouts: Partial<Fresh> = {}, settings: TrainingJob["settings"] = {}): TrainingJob {
  const outputDir = join(folder, name);
  mkdirSync(outputDir, { recursive: true });
  const snapshot = join(folder, "snapshot.jsonl");
  return {
    runId: name,
    algorithm: "ppo",
    model: join(folder, "model"),
    parentAdapter: null,
    snapshot,
    snapshotSha256: hashFile(snapshot),
    knownAdapters: [],
    rollouts: {
      source: "fresh",
      prompts: join(folder, "prompts.jsonl"),
      reward: "letters",
      rounds: 3,
      promptsPerRound: 6,
      repliesPerPrompt: 4,
      temperature: 1,
      maxTokens: 8,
      ...rollouts,
    },
    outputDir,
    version: 1,
    rewardVersion: "letters-1",
    threads: 1,
    settings: { rank: 4, alpha: 4, batchSize: 8, learningRate: 0.01, valueWarmupSteps: 5, ...settings },
  };
}

const judged = (total: number): JudgedExchange => {
  const reward = { version: "letters-1", total, terms: { letters: total } };
  return { toxicity: { prompt: 0, reply: 0, attributes: {} }, reward };
};

/** Ten times the share of letters among a reply's characters. @param failAt which call fails */
const letters =
  (failAt = 0) =>
  async (): Promise<RolloutReward> => {
    let calls = 0;
    return {
      version: "letters-1",
      async judge(replies) {
        calls += 1;
        if (calls === failAt) throw new Error("the scorer went away");
        return replies.map(({ reply }) => {
          const total = (10 * (reply.match(/\p{L}/gu)?.length ?? 0)) / Math.max(1, reply.length);
          return judged(total);
        });
      },
      dispose: async () => undefined,
    };
  };

async function run(job: TrainingJob, loadReward = letters(), signal = never) {
  const events: TrainingEvent[] = [];
  const reporter = createRunReporter(job, (event) => events.push(event));
  const finished = await ppo(job, reporter, signal, loadReward);
  return { finished, events };
}

const weightsOf = (name: string) => readFileSync(join(folder, name, "adapter", "adapter_model.safetensors"));
const linesOf = (name: string, file: string) =>
  readFileSync(join(folder, name, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("sampling from the policy", () => {
  it("logs what the trainer's own log-probs say, as nothing is truncated", async () => {
    const base = readCheckpoint(join(folder, "model"));
    const { architecture } = base;
    const { bytes, stopTokens, roleTags, renderChat } = loadTokenizer(base.folder, architecture.vocabularySize);
    const random = seededRandom(4);
    const shape = { rank: 2, alpha: 4, targetModules: everyTarget(architecture), rankStabilized: false };
    const policy = freshAdapter(architecture, shape, random);
    for (const { b } of policy.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = random() - 0.5;
    const sampler = await createPolicySampler(
      base,
      { bytes, stopTokens, roleTags },
      { threads: 1, maxTokensPerPass: 90 },
    );
    const requests = Array.from({ length: 12 }, (_, seed) => ({
      promptTokens: renderChat([{ role: "user", content: "ab ".repeat(1 + (seed % 4)) }]),
      maxTokens: 10,
      temperature: 0.8,
      seed,
    }));
    const replies = await sampler.sample(policy, requests, never);
    const scorer = await createLoraScorer(base, shape, { threads: 1 });
    const sequences = requests.map(({ promptTokens, temperature }, row) => {
      return { promptTokens, replyTokens: replies?.[row]?.tokens ?? [], temperature };
    });
    for (const [row, { logProbs }] of (await scorer.score(policy, sequences)).entries()) {
      for (const [t, logProb] of logProbs.entries()) expect(replies?.[row]?.logProbs[t]).toBeCloseTo(logProb, 4);
    }
    expect(await sampler.sample(policy, requests, never)).toEqual(replies);
    await Promise.all([sampler.dispose(), scorer.dispose()]);
  });
});

describe("the prompts of a round", () => {
  it("are all of them before any comes again, whatever the round's size", () => {
    const prompts = ["a", "b", "c", "d", "e"];
    const drawn = [0, 1, 2, 3, 4].flatMap((round) => promptsOfRound(prompts, round, 4, 7));
    for (let pass = 0; pass < 4; pass++) expect(drawn.slice(5 * pass, 5 * pass + 5).toSorted()).toEqual(prompts);
    expect(drawn.slice(0, 5)).not.toEqual(drawn.slice(5, 10));
    expect(promptsOfRound(prompts, 0, 12, 7)).toEqual(drawn.slice(0, 12));
  });
});

describe("PPO on fresh rollouts", { timeout: 120_000 }, () => {
  it("raises the reward from round to round", async () => {
    const { finished, events } = await run(
      jobOf("run", { rounds: 16, repliesPerPrompt: 8 }, { batchSize: 12, learningRate: 0.02, klTarget: 10 }),
    );
    expect(finished).toBe(true);
    const byRound = new Map(
      events.flatMap((event) => (event.type === "metric" ? [[event.values.round, event.values.rewardMean ?? 0]] : [])),
    );
    const rewards = [...byRound.values()];
    expect(rewards).toHaveLength(16);
    // Single rounds of 48 short replies are off by a fifth or so; with seeds 1 to 8 it is 1.3 to 1.6 times.
    const last = rewards.slice(-4).reduce((sum, reward) => sum + (reward ?? 0) / 4, 0);
    expect(last).toBeGreaterThan(1.25 * (rewards[0] ?? 0));
    expect(events[0]).toEqual({ type: "started", runId: "run", exchanges: 6, discarded: {}, steps: 16 * 2 * 4 });
    const first = events.find((event) => event.type === "metric");
    // The policy that begins a round is the one that has just spoken.
    expect(first?.values.importanceWeight).toBeCloseTo(1, 4);
    const saved = loadRollouts(join(folder, "run", "rollouts", "round-2.jsonl"));
    expect(saved).toHaveLength(48);
    expect(saved?.[0]).toMatchObject({
      messages: [{ role: "user" }],
      exchange: null,
      reward: { version: "letters-1" },
    });
    for (const { replyTokens, logProbs } of saved ?? []) expect(logProbs).toHaveLength(replyTokens.length);
  });

  it("comes to the same bits when it is stopped in the middle of rounds and of sampling", async () => {
    await run(jobOf("whole"));
    const job = jobOf("stopped");
    for (const stopAt of [3, 8]) {
      const stop = new AbortController();
      const reporter = createRunReporter(
        job,
        (event) => event.type === "metric" && event.step >= stopAt && stop.abort(),
      );
      expect(await ppo(job, reporter, stop.signal, letters())).toBe(false);
    }
    // As if it had been killed while the third round was sampled: its file is written last.
    expect(readdirSync(join(folder, "stopped", "rollouts"))).not.toContain("round-3.jsonl");
    expect((await run(job)).finished).toBe(true);
    expect(weightsOf("stopped").equals(weightsOf("whole"))).toBe(true);
    for (const file of ["steps.jsonl", "rollouts/round-3.jsonl"]) {
      expect(linesOf("stopped", file)).toEqual(linesOf("whole", file));
    }
  });

  it("ends clearly when the reward fails midway, and goes on to the same bits once it is back", async () => {
    await run(jobOf("whole"));
    const job = jobOf("failed");
    await expect(run(job, letters(2))).rejects.toMatchObject({
      code: "reward_failed",
      message: "round 2: the reward letters-1 could not score 24 replies: the scorer went away",
    });
    const checkpoint = readFileSync(join(folder, "failed", "checkpoint.safetensors"));
    expect(checkpoint.length).toBeGreaterThan(0);
    expect((await run(job)).finished).toBe(true);
    expect(weightsOf("failed").equals(weightsOf("whole"))).toBe(true);
  });

  it("answers the logged prompts when none are brought, and says whose they were", async () => {
    const { renderChat } = loadTokenizer(join(folder, "model"), sampleChatVocabulary);
    const logged = (id: string, content: string, consent = true) => {
      const messages = [{ role: "user" as const, content }];
      return sampleExchange({ id, messages, promptTokens: renderChat(messages), consent });
    };
    writeExchanges(join(folder, "snapshot.jsonl"), [
      logged("a", "All lazy."),
      logged("b", "All lazy."),
      logged("c", "Go home."),
      logged("d", "Go away.", false),
    ]);
    const { events } = await run(jobOf("run", { prompts: null, rounds: 1 }));
    expect(events[0]).toMatchObject({ exchanges: 2, discarded: { same_prompt: 1, no_consent: 1 } });
    const trained = new Set(linesOf("run", "steps.jsonl").flatMap(({ exchanges }) => exchanges));
    expect([...trained].toSorted()).toEqual(["a", "c"]);
  });

  it("names what it cannot work with", async () => {
    const refused = async (changes: Partial<Fresh>, job: Partial<TrainingJob>, error: object) =>
      expect(run({ ...jobOf("run", changes), ...job })).rejects.toMatchObject(error);
    await refused({}, { rewardVersion: "letters-2" }, { code: "wrong_reward" });
    await refused({ maxTokens: 48 }, {}, { code: "too_few_prompts" });
    await refused({ prompts: null }, {}, { code: "too_few_prompts" });
    await refused({ promptsPerRound: 1, repliesPerPrompt: 2 }, {}, { code: "too_few_prompts" });
    writeFileSync(join(folder, "prompts.jsonl"), '{"messages":[{"role":"assistant","content":"Hello."}]}\n');
    await refused({}, {}, { code: "bad_prompts", message: expect.stringContaining("prompts.jsonl, line 1") });
  });

  it("makes nothing of replies that are all worth the same", async () => {
    const same = async (): Promise<RolloutReward> => ({
      ...(await letters()()),
      judge: async (replies) => replies.map(() => judged(1)),
    });
    await expect(run(jobOf("run"), same)).rejects.toMatchObject({ code: "no_signal" });
  });
});
