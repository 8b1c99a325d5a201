import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Checkpoint, readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { hashFile } from "../../engine/checkpoint/file-hash.ts";
import { freshAdapter, type LoraAdapter } from "../../engine/lora/adapter.ts";
import { readPeftAdapter } from "../../engine/lora/peft.ts";
import type { TrainingEvent, TrainingJob, TrainingStep } from "../contract.ts";
import { createLoraScorer } from "../lora-scorer.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { createRunReporter } from "../run-reporter.ts";
import { sampleModelSize, writeSampleModel } from "../sample-model.ts";
import { ppo } from "./ppo.ts";
import { createReplySampler, type ReplySampler, sampleExchange, writeExchanges } from "./sample-log.ts";

const shape = {
  rank: 4,
  alpha: 4,
  targetModules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
  rankStabilized: false,
};
const wanted = 7;
const never = new AbortController().signal;

let folder: string;
let checkpoint: Checkpoint;
let sampler: ReplySampler;
let base: LoraAdapter;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "ppo-"));
  writeSampleModel(join(folder, "model"));
  checkpoint = readCheckpoint(join(folder, "model"));
  sampler = await createReplySampler(checkpoint, shape);
  base = freshAdapter(checkpoint.architecture, shape, seededRandom(1));
});

afterEach(async () => {
  await sampler.dispose();
  rmSync(folder, { recursive: true });
});

/** Replies of the adapter to random prompts, rewarded by the share of one token; returns their mean reward. */
async function logReplies(file: string, adapter: LoraAdapter, version: number, sha256: string, count = 64) {
  const random = seededRandom(100 + version);
  const prompts = Array.from({ length: count }, () =>
    Array.from({ length: 2 + Math.floor(3 * random()) }, () => Math.floor(sampleModelSize.vocabulary * random())),
  );
  const temperature = 0.8;
  const replies = await sampler.sample(adapter, prompts, { length: 8, temperature, random });
  const exchanges = replies.map(({ replyTokens, logProbs }, row) => {
    const total = (4 * replyTokens.filter((token) => token === wanted).length) / replyTokens.length;
    return sampleExchange({
      id: `exchange ${row}`,
      promptTokens: prompts[row] ?? [],
      replyTokens,
      logProbs,
      sampling: { ...sampleExchange().sampling, temperature },
      adapter: { name: "rejoinder", version, sha256 },
      reward: { version: "share", total, terms: {} },
    });
  });
  writeExchanges(file, exchanges);
  return exchanges.reduce((sum, { reward }) => sum + reward.total, 0) / count;
}

function jobOf(changes: Partial<TrainingJob>): TrainingJob {
  const { outputDir = join(folder, "run"), snapshot = join(folder, "snapshot.jsonl"), parentAdapter = null } = changes;
  mkdirSync(outputDir, { recursive: true });
  return {
    runId: "run",
    algorithm: "ppo",
    model: checkpoint.folder,
    parentAdapter,
    snapshot,
    snapshotSha256: hashFile(snapshot),
    knownAdapters: parentAdapter === null ? [] : [parentAdapter],
    outputDir,
    version: 1,
    rewardVersion: "share",
    threads: 1,
    ...changes,
    settings: { rank: 4, alpha: 4, batchSize: 8, learningRate: 0.01, ...changes.settings },
  };
}

async function run(job: TrainingJob, signal = never) {
  const events: TrainingEvent[] = [];
  const finished = await ppo(
    job,
    createRunReporter(job, (event) => events.push(event)),
    signal,
  );
  return { finished, events };
}

describe("PPO on logged exchanges", () => {
  it("raises the mean reward from pass to pass", async () => {
    const rewards: number[] = [];
    let parentAdapter: TrainingJob["parentAdapter"] = null;
    let adapter = base;
    for (let version = 0; version < 5; version++) {
      const snapshot = join(folder, `snapshot-${version}.jsonl`);
      rewards.push(await logReplies(snapshot, adapter, version, parentAdapter?.sha256 ?? checkpoint.sha256));
      const job = jobOf({ snapshot, parentAdapter, version: version + 1, outputDir: join(folder, `run-${version}`) });
      const { events } = await run(job);
      const last = events.at(-1);
      if (last?.type !== "succeeded") throw new Error("the run did not succeed");
      parentAdapter = { folder: last.adapterFolder, name: "rejoinder", version: version + 1, sha256: last.sha256 };
      adapter = readPeftAdapter(last.adapterFolder, checkpoint.architecture);
    }
    expect(rewards.at(-1)).toBeGreaterThan(2 * (rewards[0] ?? 0));
  }, 60_000);

  it("reports finite metrics and a probe that the written adapter confirms", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256);
    const { events } = await run(jobOf({}));
    // 64 replies in minibatches of 8, two epochs.
    expect(events[0]).toEqual({ type: "started", runId: "run", exchanges: 64, discarded: {}, steps: 16 });
    const metrics = events.filter((event) => event.type === "metric");
    expect(metrics.length).toBeGreaterThan(4);
    for (const { values } of metrics) expect(Object.values(values).every(Number.isFinite)).toBe(true);
    // The first minibatch is seen by the policy that began the batch.
    expect(metrics[0]?.values).toMatchObject({ approxKl: 0, clipFraction: 0, ratioMean: 1, ratioMax: 1 });
    expect(metrics[0]?.values.importanceWeight).toBeCloseTo(1, 4);
    expect(metrics[0]?.values.klReference).toBeCloseTo(0, 6);

    const manifest = JSON.parse(readFileSync(join(folder, "run", "adapter", "rejoinder.json"), "utf8"));
    expect(manifest).toMatchObject({ name: "rejoinder", version: 1, parent: null, run: "run", rewardVersion: "share" });
    const scorer = await createLoraScorer(checkpoint, shape, { threads: 1 });
    const written = readPeftAdapter(join(folder, "run", "adapter"), checkpoint.architecture);
    const { tokens, from, logProbs } = manifest.probe as { tokens: number[]; from: number; logProbs: number[] };
    const sequence = { promptTokens: tokens.slice(0, from), replyTokens: tokens.slice(from), temperature: 1 };
    const [scores] = await scorer.score(written, [sequence]);
    expect([...(scores?.logProbs ?? [])]).toEqual(logProbs);
    await scorer.dispose();
  });

  it("comes to the same bits when it is stopped in the middle and taken up again", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256);
    const adapterOf = (name: string) => readFileSync(join(folder, name, "adapter", "adapter_model.safetensors"));
    await run(jobOf({ outputDir: join(folder, "whole") }));

    const job = jobOf({ outputDir: join(folder, "stopped") });
    const stop = new AbortController();
    const reporter = createRunReporter(job, (event) => event.type === "metric" && event.step === 7 && stop.abort());
    expect(await ppo(job, reporter, stop.signal)).toBe(false);
    const { finished, events } = await run(job);
    expect(finished).toBe(true);
    expect(events.find((event) => event.type === "metric")?.step).toBe(8);
    expect(adapterOf("stopped").equals(adapterOf("whole"))).toBe(true);
  });

  it("refuses an adapter file that is not the one the job continues", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256);
    await run(jobOf({}));
    const parent = { folder: join(folder, "run", "adapter"), name: "rejoinder", version: 1, sha256: "0".repeat(64) };
    await expect(run(jobOf({ parentAdapter: parent, outputDir: join(folder, "next") }))).rejects.toThrow(
      /adapter_model\.safetensors: has sha256/,
    );
  });

  it("does not learn from replies that another policy wrote", async () => {
    const snapshot = join(folder, "snapshot.jsonl");
    await logReplies(snapshot, base, 0, checkpoint.sha256);
    const lines = readFileSync(snapshot, "utf8").trim().split("\n");
    const foreign = lines
      .map((line) => JSON.parse(line))
      .map((record) => {
        return { ...record, logProbs: record.logProbs.map((value: number) => value * 3) };
      });
    writeExchanges(snapshot, foreign);
    await expect(run(jobOf({}))).rejects.toThrow("no reply could be trained on");
  });

  it("does not make a signal of replies that are all worth the same", async () => {
    const snapshot = join(folder, "snapshot.jsonl");
    await logReplies(snapshot, base, 0, checkpoint.sha256);
    const lines = readFileSync(snapshot, "utf8").trim().split("\n");
    const reward = { version: "share", total: 3, terms: {} };
    writeExchanges(
      snapshot,
      lines.map((line) => ({ ...JSON.parse(line), reward })),
    );
    await expect(run(jobOf({}))).rejects.toMatchObject({ code: "no_signal" });
  });

  it.each([0, 1])("says that a log of %i exchanges is too little to learn from", async (count) => {
    if (count === 0) writeExchanges(join(folder, "snapshot.jsonl"), []);
    else await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256, count);
    await expect(run(jobOf({}))).rejects.toMatchObject({
      code: "too_few_exchanges",
      message: `only ${count} replies to train on`,
    });
  });

  it("leaves out replies of adapters that the registry never knew, and says how many", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 2, "sha256 of a stranger");
    await expect(run(jobOf({}))).rejects.toThrow("only 0 replies to train on, 64 left out (unknown_adapter)");
  });

  it("writes down which exchanges went into each step", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256);
    const { events } = await run(jobOf({ settings: { epochs: 1 } }));
    const lines = readFileSync(join(folder, "run", "steps.jsonl"), "utf8")
      .trim()
      .split("\n");
    const steps = lines.map((line) => JSON.parse(line) as TrainingStep);
    expect(steps.map(({ step }) => step)).toEqual(
      events.flatMap((event) => (event.type === "metric" ? event.step : [])),
    );
    const trained = steps.flatMap(({ exchanges }) => exchanges);
    expect(new Set(trained).size).toBe(trained.length);
    for (const { exchanges } of steps) expect(exchanges).toHaveLength(8);
  });

  it("says of a batch of which no reply is near enough how many were left out, in place of its steps", async () => {
    const path = join(folder, "snapshot.jsonl");
    await logReplies(path, base, 0, checkpoint.sha256, 16);
    const lines = readFileSync(path, "utf8").trim().split("\n");
    const exchanges = lines.map((line) => JSON.parse(line) as ReturnType<typeof sampleExchange>);
    const foreign = ({ logProbs }: (typeof exchanges)[number]) => logProbs.map((logProb) => logProb - 3);
    writeExchanges(
      path,
      exchanges.map((exchange, row) => (row < 4 ? { ...exchange, logProbs: foreign(exchange) } : exchange)),
    );
    const settings = { epochs: 2, batchSize: 1, minibatchesPerBatch: 1, learningRate: 1e-6 };
    const { events } = await run(jobOf({ settings }));
    const metrics = events.filter((event) => event.type === "metric");
    const gaps = metrics.filter(({ values }) => values.rejectedReplies === 1);
    expect(gaps).toHaveLength(4);
    for (const { step, values } of gaps) {
      // The first of the two that the batch would have filled.
      expect(step % 2).toBe(1);
      expect(Object.keys(values).sort()).toEqual(["klCoefficient", "rejectedReplies", "rewardMean", "round"]);
    }
    expect(metrics).toHaveLength(2 * 12 + 4);
  });

  it("warms up and decays the learning rate over the steps that are planned", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256);
    const settings = { epochs: 1, warmupSteps: 2, decay: "linear", earlyStopKl: 100 } as const;
    const { events } = await run(jobOf({ settings }));
    const rates = events.flatMap((event) => (event.type === "metric" ? (event.values.learningRate ?? 0) : []));
    // Eight steps, of which two rise: then 1 - k/6.
    const factors = [0.5, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6];
    expect(rates).toEqual(factors.map((factor) => expect.closeTo(0.01 * factor, 12)));
  });

  it("keeps the minibatch whose numbers went wrong and leaves no adapter", async () => {
    await logReplies(join(folder, "snapshot.jsonl"), base, 0, checkpoint.sha256);
    const job = jobOf({ settings: { learningRate: 1e30, earlyStopKl: 1e30 } });
    await expect(run(job)).rejects.toMatchObject({ code: "non_finite" });
    const kept = JSON.parse(readFileSync(join(folder, "run", "failed-batch.json"), "utf8"));
    expect(kept.rows).toHaveLength(8);
    expect(kept.rows[0].oldLogProbs).toHaveLength(8);
    expect(() => readFileSync(join(folder, "run", "adapter", "rejoinder.json"))).toThrow("ENOENT");
  });
});
