import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { hashFile } from "../../engine/checkpoint/file-hash.ts";
import { readPeftAdapter } from "../../engine/lora/peft.ts";
import type { ExchangeRecord, TrainingEvent, TrainingJob, TrainingStep } from "../contract.ts";
import { sampleExchange, writeExchanges } from "../ppo/sample-log.ts";
import { createRunReporter } from "../run-reporter.ts";
import { writeSampleChatModel } from "../sample-chat-model.ts";
import { loggedSft } from "./logged-sft.ts";

let folder: string;
let job: TrainingJob;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "logged-sft-"));
  writeSampleChatModel(folder);
  job = {
    runId: "run",
    algorithm: "sft",
    model: folder,
    parentAdapter: null,
    snapshot: join(folder, "snapshot.jsonl"),
    snapshotSha256: "",
    knownAdapters: [],
    outputDir: folder,
    version: 4,
    rewardVersion: "sample",
    threads: 1,
    settings: { rank: 2, alpha: 2, learningRate: 0.05, epochs: 20 },
  };
});

afterEach(() => rmSync(folder, { recursive: true }));

function writeRewrites(count: number): void {
  const rewritten = (index: number): Partial<ExchangeRecord> => ({
    id: `exchange ${index}`,
    conversationId: `conversation ${index}`,
    promptTokens: [1, 100 + index, 3, 2],
    annotations: [{ label: "toxic", rewrite: "They work.", annotator: "ann", createdAt: "2026-03-01T10:00:00Z" }],
  });
  writeExchanges(
    job.snapshot,
    Array.from({ length: count }, (_, index) => sampleExchange(rewritten(index))),
  );
  job.snapshotSha256 = hashFile(job.snapshot);
}

async function run(): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  const reporter = createRunReporter(job, (event) => events.push(event));
  expect(await loggedSft(job, reporter, new AbortController().signal)).toBe(true);
  return events;
}

describe("fine-tuning on annotated exchanges", () => {
  it("learns the annotators' rewrites and leaves an adapter with a probe", async () => {
    writeRewrites(12);
    const events = await run();
    const losses = events.flatMap((event) => (event.type === "metric" ? (event.values.loss ?? []) : []));
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) - 2);
    expect(events.at(-1)).toMatchObject({ type: "succeeded", adapterFolder: join(folder, "adapter") });
    expect(readPeftAdapter(join(folder, "adapter"), readArchitecture(folder)).shape.rank).toBe(2);
    const manifest = JSON.parse(readFileSync(join(folder, "adapter", "rejoinder.json"), "utf8"));
    expect(manifest).toMatchObject({ version: 4, run: "run", rewardVersion: null });
    expect(manifest.probe.logProbs.length).toBe(manifest.probe.tokens.length - manifest.probe.from);
  });

  it("writes down which exchanges went into each step", async () => {
    writeRewrites(12);
    job.settings = { ...job.settings, epochs: 2, tokensPerStep: 60 };
    const events = await run();
    const lines = readFileSync(join(folder, "steps.jsonl"), "utf8").trim().split("\n");
    const steps = lines.map((line) => JSON.parse(line) as TrainingStep);
    expect(steps.map(({ step }) => step)).toEqual(
      events.flatMap((event) => (event.type === "metric" ? event.step : [])),
    );
    const trained = steps.flatMap(({ exchanges }) => exchanges);
    // Each exchange that does not validate, once an epoch.
    for (const id of new Set(trained)) expect(trained.filter((other) => other === id)).toHaveLength(2);
    expect(new Set(trained).size).toBeLessThan(12);
  });

  it("stops at a loss that is no number, and keeps the batch and the adapter before it", async () => {
    writeRewrites(12);
    job.settings = { ...job.settings, learningRate: 1e30 };
    await expect(run()).rejects.toMatchObject({ code: "non_finite", message: expect.stringMatching(/step \d+: the /) });
    const kept = JSON.parse(readFileSync(join(folder, "failed-batch.json"), "utf8"));
    expect(kept.rows[0]).toMatchObject({ replyTokens: expect.any(Array), exchange: expect.any(String) });
  });

  it("refuses a snapshot that was changed", async () => {
    writeRewrites(12);
    job.snapshotSha256 = "0".repeat(64);
    await expect(run()).rejects.toMatchObject({ code: "tampered_snapshot" });
  });

  it("says that there is too little to learn from", async () => {
    writeRewrites(2);
    await expect(run()).rejects.toMatchObject({ code: "too_few_exchanges" });
  });
});
