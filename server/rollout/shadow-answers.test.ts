import { expect, it } from "vitest";
import type { EndedReply } from "../chat/reply-generator.ts";
import type { Trial } from "../protocol/index.ts";
import type { ShadowReply } from "../store/rollout-queries.ts";
import { createScriptedEngine } from "../testing/scripted-engine.ts";
import { wordScorer } from "../testing/test-server.ts";
import { createShadowAnswers, type ShadowOutcome } from "./shadow-answers.ts";

const live = { name: "rejoinder", version: 1, sha256: "aa" };
const trial: Trial = { name: "rejoinder", version: 2, sha256: "bb", stage: "shadow", share: 1, since: "" };

function setUp(capacity = 8) {
  const engine = createScriptedEngine();
  let queued = 0;
  const stats = engine.stats;
  engine.stats = () => ({ ...stats(), queued });
  const outcomes: ShadowOutcome[] = [];
  const stored: ShadowReply[] = [];
  const shadow = createShadowAnswers({
    registry: {
      trial: () => trial,
      live: () => ({ ...live, state: "live" }),
      acquire: async (identity) => ({ identity, sha256: identity.sha256, release: () => undefined }),
    },
    engine,
    scorer: wordScorer,
    store: { putShadowReply: async (reply) => void stored.push(reply) },
    maxActive: 4,
    capacity,
    onStored: () => undefined,
    onOutcome: (outcome) => void outcomes.push(outcome),
    onError: (error) => {
      throw error;
    },
    now: () => new Date(0),
  });
  const wait = (requests: number) => {
    queued = requests;
  };
  return { engine, shadow, outcomes, stored, wait };
}

function ended(exchangeId: string, change: { consent?: boolean; owner?: string; version?: number } = {}): EndedReply {
  const messages = [{ role: "user" as const, content: "Hello" }];
  return {
    exchangeId,
    conversationId: "c",
    request: {
      prompt: { messages, promptTokens: [1, 72, 4, 2] },
      owner: change.owner ?? "ann",
      source: "socket",
      modelName: "rejoinder",
      sampling: {},
      maxTokens: 40,
      consent: change.consent ?? true,
    },
    sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
    adapter: { ...live, version: change.version ?? 1 },
    outcome: {
      completedAt: new Date(0),
      reply: "Hi.",
      replyTokens: [72],
      logProbs: [-0.5],
      finishReason: "stop",
      toxicity: { prompt: 0, reply: 0, attributes: {} },
      reward: { version: "1", total: 1, terms: {} },
    },
    failedStep: null,
  };
}

it("answers one exchange after the other under the candidate, with the same prompt and sampling", async () => {
  const { engine, shadow, outcomes, stored } = setUp();
  engine.script.reply = () => "a bad day";
  for (const id of ["e1", "e2", "e3"]) shadow.offer(ended(id));
  await expect.poll(() => outcomes).toEqual(["stored", "stored", "stored"]);
  expect(stored.map(({ exchangeId, adapterVersion }) => [exchangeId, adapterVersion])).toEqual([
    ["e1", 2],
    ["e2", 2],
    ["e3", 2],
  ]);
  expect(stored[0]).toMatchObject({ reply: "a bad day", rewardVersion: "1" });
  // One word of three is bad.
  expect(stored[0]?.toxicity).toBeCloseTo(1 / 3, 9);
  expect(stored[0]?.reward).toBeCloseTo(2 / 3, 9);
  expect(engine.requests[0]).toMatchObject({ adapter: "bb", promptTokens: [1, 72, 4, 2], maxTokens: 40 });
});

it("takes nothing without consent, and nothing that another version has answered", async () => {
  const { shadow, engine } = setUp();
  shadow.offer(ended("e1", { consent: false }));
  shadow.offer(ended("e2", { version: 3 }));
  shadow.offer({ ...ended("e3"), outcome: null });
  expect(shadow.waiting()).toBe(0);
  expect(engine.requests).toEqual([]);
});

it("begins nothing while chats wait, drops the oldest when too many exchanges wait, and forgets whom it must", async () => {
  const { shadow, outcomes, stored, wait } = setUp(3);
  wait(1);
  for (const id of ["e1", "e2", "e3", "e4"]) shadow.offer(ended(id, { owner: id === "e3" ? "ben" : "ann" }));
  expect(outcomes).toEqual(["dropped"]);
  shadow.forget("ben");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(stored).toEqual([]);
  wait(0);
  await expect.poll(() => stored.map(({ exchangeId }) => exchangeId)).toEqual(["e2", "e4"]);
});

it("gives its reply up for a chat that has to wait, and takes it up again", async () => {
  const { engine, shadow, outcomes, stored, wait } = setUp();
  engine.script.delayMs = 5;
  engine.script.reply = () => "a long reply with many words";
  shadow.offer(ended("e1"));
  await expect.poll(() => engine.requests.length).toBe(1);
  wait(1);
  await expect.poll(() => engine.stats().active).toBe(0);
  expect(outcomes).toEqual([]);
  wait(0);
  await expect.poll(() => outcomes).toEqual(["stored"]);
  expect(stored).toHaveLength(1);
  expect(engine.requests).toHaveLength(2);
});

it("stops at the end of the server without a word more", async () => {
  const { engine, shadow, outcomes, stored } = setUp();
  engine.script.delayMs = 20;
  shadow.offer(ended("e1"));
  shadow.offer(ended("e2"));
  await expect.poll(() => engine.requests.length).toBe(1);
  await shadow.close();
  expect(outcomes).toEqual(["yielded"]);
  expect(stored).toEqual([]);
});
