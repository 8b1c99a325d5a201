/** Who is served when, one step at a time, on a model of random weights. */
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { readCheckpoint } from "../checkpoint/checkpoint.ts";
import { readPeftAdapter } from "../lora/peft.ts";
import { loadTokenizer } from "../tokenizer/tokenizer.ts";
import type { GenerationRequest, GenerationResult } from "../types.ts";
import { flattenAdapter, type StackableAdapter } from "./adapter-stack.ts";
import type { Goal } from "./goal.ts";
import { randomCheckpoint } from "./random-checkpoint.ts";
import { type ReplyEvent, Scheduler, type SchedulerOptions } from "./scheduler.ts";
import { StepModel } from "./step-model.ts";

vi.setConfig({ testTimeout: 120_000 });

const checkpoint = randomCheckpoint();
const base = readCheckpoint(checkpoint.folder);
const model = await StepModel.create(base, { threads: 1 });
const tokenizer = loadTokenizer(checkpoint.folder, base.architecture.vocabularySize);
const adapters = [1, 2].map((seed): StackableAdapter => {
  const adapter = readPeftAdapter(checkpoint.addAdapter(seed, 4 * seed), base.architecture);
  const matrices = flattenAdapter(adapter, base.architecture.linearModules);
  return { sha256: `adapter ${seed}`, rank: adapter.shape.rank, matrices };
});
afterAll(async () => {
  await model.dispose();
  checkpoint.remove();
});

const goals: Goal[] = ["latency", "throughput"];

/** Prompts of one kind begin alike, so that the store of prefixes has something to give. */
function request(kind: number, length: number, change: Partial<GenerationRequest> = {}): GenerationRequest {
  const promptTokens = Array.from({ length }, (_, i) => 10 + ((kind * 7919 + i * 31) % 8000));
  const sampling = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };
  return { promptTokens, adapter: null, sampling, maxTokens: 8, stop: [], ...change };
}

async function createScheduler(change: Partial<SchedulerOptions> = {}) {
  const events: ReplyEvent[] = [];
  const emit = (event: ReplyEvent) => events.push(event);
  const options = { maxConcurrent: 4, maxQueue: 64, prefixBytes: 2 ** 16, goal: "latency" as Goal, emit };
  const scheduler = new Scheduler(model, tokenizer, { ...options, ...change });
  for (const adapter of adapters) await scheduler.addAdapter(adapter);
  /** What has come of a reply, if it has ended. */
  const resultOf = (id: number): GenerationResult | undefined => {
    for (const event of events) if (event.id === id && "result" in event) return event.result;
    return undefined;
  };
  const hasBegun = (id: number) => events.some((event) => event.id === id && "chunk" in event);
  return { scheduler, events, resultOf, hasBegun };
}

async function alone(asked: GenerationRequest): Promise<GenerationResult> {
  const { scheduler, resultOf } = await createScheduler({ prefixBytes: 0 });
  scheduler.submit(0, asked);
  while (await scheduler.advance());
  return resultOf(0) as GenerationResult;
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i] as number, 3);
}

async function expectAsAlone(result: GenerationResult | undefined, asked: GenerationRequest): Promise<void> {
  const expected = await alone(asked);
  expect(result).toMatchObject({ tokens: expected.tokens, text: expected.text, finishReason: expected.finishReason });
  expectClose(result?.logProbs ?? [], expected.logProbs);
}

describe("Scheduler", () => {
  it("gives a short prompt behind a very long one its first token first, and both their replies", async () => {
    const { scheduler, resultOf, hasBegun } = await createScheduler();
    const asked = [request(0, 500), request(1, 10), request(2, 30)];
    for (const [id, each] of asked.entries()) scheduler.submit(id, each);
    while (!hasBegun(1) || !hasBegun(2)) {
      await scheduler.advance();
      expect(hasBegun(0)).toBe(false);
    }
    while (await scheduler.advance());
    for (const [id, each] of asked.entries()) await expectAsAlone(resultOf(id), each);
  });

  it("reads a very long prompt to its end however many short ones keep coming", async () => {
    const { scheduler, hasBegun } = await createScheduler();
    scheduler.submit(0, request(0, 400, { maxTokens: 1 }));
    let steps = 0;
    while (!hasBegun(0)) {
      // Always three that could be read before it: two in work beside it, and one that waits.
      while (scheduler.active + scheduler.queued < 5) scheduler.submit(++steps * 100 + scheduler.queued, request(1, 9));
      await scheduler.advance();
      steps += 1;
      expect(steps).toBeLessThan(200);
    }
    // 400 tokens are 17 chunks of 24; every other chunk is the oldest prompt's.
    expect(steps).toBeLessThanOrEqual(100);
  });

  it("reads prompts of one length first come, first served", async () => {
    const { scheduler, events } = await createScheduler();
    for (const id of [0, 1, 2]) scheduler.submit(id, request(id, 300, { maxTokens: 1 }));
    while (await scheduler.advance());
    expect(events.filter((event) => "result" in event).map(({ id }) => id)).toEqual([0, 1, 2]);
  });

  it("reads short prompts side by side where replies an hour count", async () => {
    const { scheduler, events, resultOf } = await createScheduler({ goal: "throughput", maxConcurrent: 8 });
    const asked = [7, 3, 20, 12, 300, 5].map((length, kind) => request(kind, length, { adapter: "adapter 2" }));
    for (const [id, each] of asked.entries()) scheduler.submit(id, each);
    await scheduler.advance();
    const begun = new Set(events.map(({ id }) => id));
    // With the long one, five rows would be 1,500 tokens.
    expect([...begun]).toEqual([0, 1, 2, 3]);
    while (await scheduler.advance());
    for (const [id, each] of asked.entries()) await expectAsAlone(resultOf(id), each);
  });

  it("knows when the next step is one of those who speak, also where others wait for a place", async () => {
    const { scheduler } = await createScheduler({ maxConcurrent: 1 });
    scheduler.submit(0, request(0, 10, { maxTokens: 4 }));
    expect(scheduler.onlySpeaks).toBe(false);
    await scheduler.advance();
    expect(scheduler.onlySpeaks).toBe(true);
    scheduler.submit(1, request(1, 10, { maxTokens: 4 }));
    expect(scheduler.onlySpeaks).toBe(true);
    const scored = scheduler.score([5, 6, 7], 1, null);
    expect(scheduler.onlySpeaks).toBe(false);
    while (await scheduler.advance());
    expect(await scored).toHaveLength(2);
  });

  it("gives memory back when long ones have left, and all of it when nobody is in work", async () => {
    const { scheduler, resultOf } = await createScheduler({ maxConcurrent: 8 });
    const stays = request(0, 20, { maxTokens: 90 });
    for (const id of [0, 1, 2, 3, 4, 5, 6]) scheduler.submit(id, request(id, 400));
    scheduler.submit(7, stays);
    for (let step = 0; step < 20; step++) await scheduler.advance();
    // Keys and values of 2 layers with 2 heads of 8 numbers of 4 bytes.
    const bytesOf = (slots: number, capacity: number) => 2 * 2 * 2 * 8 * 4 * slots * capacity;
    expect(scheduler.cacheBytes).toBe(bytesOf(8, 512));
    for (const id of [0, 1, 2, 3, 4, 5, 6]) scheduler.cancel(id);
    await scheduler.advance();
    // Eight slots became two when two were in use, which is a quarter; one of two is a half.
    expect(scheduler.cacheBytes).toBe(bytesOf(2, 128));
    while (await scheduler.advance());
    expect(scheduler.cacheBytes).toBe(0);
    await expectAsAlone(resultOf(7), stays);
  });

  it.each(goals)("says the same as alone whoever joins, leaves and is cancelled meanwhile: %s", async (goal) => {
    const visitor = fc.record({
      kind: fc.nat(2),
      length: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 340 })),
      maxTokens: fc.integer({ min: 1, max: 12 }),
      adapter: fc.constantFrom(null, ...adapters.map(({ sha256 }) => sha256)),
      seed: fc.nat(5),
      joins: fc.nat(25),
      cancelled: fc.option(fc.nat(45)),
    });
    const visitors = fc.array(visitor, { minLength: 2, maxLength: 9 });
    const holds = async (guests: (typeof visitor extends fc.Arbitrary<infer Guest> ? Guest : never)[]) => {
      const { scheduler, resultOf } = await createScheduler({ goal });
      const asked = guests.map(({ kind, length, maxTokens, adapter, seed }) => {
        const plain = request(kind, length, { maxTokens, adapter });
        // Few tokens to choose among: between thousands of like probability, rounding would sometimes decide.
        return { ...plain, sampling: { ...plain.sampling, seed, topK: 20 } };
      });
      for (let step = 0, isWorking = true; isWorking || step <= 45; step++) {
        for (const [id, { joins, cancelled }] of guests.entries()) {
          if (joins === step) scheduler.submit(id, asked[id] as GenerationRequest);
          if (cancelled === step) scheduler.cancel(id);
        }
        isWorking = await scheduler.advance();
      }
      for (const [id, each] of asked.entries()) {
        const result = resultOf(id);
        if (result?.finishReason !== "cancelled") {
          await expectAsAlone(result, each);
          continue;
        }
        const expected = await alone(each);
        expect(result.tokens).toEqual(expected.tokens.slice(0, result.tokens.length));
        expectClose(result.logProbs, expected.logProbs.slice(0, result.tokens.length));
      }
    };
    await fc.assert(fc.asyncProperty(visitors, holds), { numRuns: 40, seed: 1 });
  });
});
