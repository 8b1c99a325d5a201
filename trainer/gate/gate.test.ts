import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { createEngine } from "../../engine/index.ts";
import { everyTarget, freshAdapter, type LoraAdapter } from "../../engine/lora/adapter.ts";
import { writePeftAdapter } from "../../engine/lora/peft.ts";
import type { AdapterOnDisk, GateJob, GateVerdict, TrainingEvent } from "../contract.ts";
import { seededRandom } from "../pretrain/shuffle.ts";
import { writeSampleModel } from "../sample-model.ts";
import { defaultGateLimits } from "./limits.ts";

// Every gate is a process of low priority, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

let models: string;
let model: string;
let calm: AdapterOnDisk;
let wild: AdapterOnDisk;

/** A model of random weights under the embedded model's tokenizer. */
function writeModel(folder: string): void {
  const { vocab_size: vocabulary } = JSON.parse(readFileSync(path("models/rejoinder-tiny/config.json"), "utf8"));
  writeSampleModel(folder, vocabulary);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    cpSync(path(`models/rejoinder-tiny/${name}`), join(folder, name));
  }
}

/** An adapter whose B matrices are as large as `size`. */
function writeAdapter(folder: string, size: number, version: number): AdapterOnDisk {
  const architecture = readArchitecture(model);
  const random = seededRandom(version);
  const shape = { rank: 2, alpha: 2, targetModules: everyTarget(architecture), rankStabilized: false };
  const adapter: LoraAdapter = freshAdapter(architecture, shape, random);
  for (const { b } of adapter.matrices.values()) for (let i = 0; i < b.length; i++) b[i] = size * (random() - 0.5);
  return { folder, name: "rejoinder", version, sha256: writePeftAdapter(folder, adapter, "sample") };
}

/** What the base model really said, with its log-probs; every other reply was rewarded. */
async function loggedExchanges(count: number): Promise<object[]> {
  const engine = await createEngine({ modelDir: model, threads: 1 });
  const exchanges: object[] = [];
  for (let i = 0; i < count; i++) {
    const messages = [{ role: "user" as const, content: `Hello, number ${i}.` }];
    const promptTokens = engine.renderChat(messages);
    const sampling = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: i };
    const stream = engine.generate({ promptTokens, adapter: null, sampling, maxTokens: 4, stop: [] });
    let step = await stream.next();
    while (!step.done) step = await stream.next();
    const { tokens: replyTokens, logProbs } = step.value;
    exchanges.push({ id: `e${i}`, messages, promptTokens, replyTokens, logProbs, sampling, reward: { total: i % 2 } });
  }
  await engine.close();
  return exchanges;
}

beforeAll(() => {
  models = mkdtempSync(join(tmpdir(), "rejoinder-gate-models-"));
  model = join(models, "model");
  writeModel(model);
  calm = writeAdapter(join(models, "calm"), 0.05, 1);
  wild = writeAdapter(join(models, "wild"), 30, 2);
});
afterAll(() => rmSync(models, { recursive: true }));

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-gate-"));
  child = undefined;
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function job(change: Partial<GateJob> = {}): GateJob {
  return {
    runId: "run-1",
    model,
    candidate: calm,
    baseline: null,
    prompts: [path("datasets/samples/prompts.jsonl")],
    swaps: null,
    heldOut: null,
    judge: path("models/toxicity-judge"),
    reward: path("models/toxicity-small"),
    language: "en",
    sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1 },
    maxTokens: 6,
    limits: { ...defaultGateLimits, fewestPrompts: 10, toxicityMargin: 1, kl: 5 },
    probe: null,
    outputDir: join(folder, "out"),
    threads: 1,
    seed: 1,
    ...change,
  };
}

/** Runs the program to its end; `onEvent` may interfere. */
async function run(what: GateJob, onEvent: (event: TrainingEvent, child: ChildProcess) => void = () => undefined) {
  const file = join(folder, "gate.json");
  writeFileSync(file, JSON.stringify(what));
  const process_ = spawn(process.execPath, [path("trainer/gate/main.ts"), file], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
  });
  child = process_;
  process_.stderr?.resume();
  const events: TrainingEvent[] = [];
  process_.on("message", (message) => {
    events.push(message as TrainingEvent);
    onEvent(message as TrainingEvent, process_);
  });
  const [code, signal]: unknown[] = await once(process_, "close");
  return { code, signal, events };
}

const verdictFile = () => join(folder, "out", "verdict.json");
const verdict = (): GateVerdict => JSON.parse(readFileSync(verdictFile(), "utf8"));
const failed = ({ checks }: GateVerdict) => checks.filter(({ passed }) => !passed).map(({ name }) => name);

describe("the gate's program", () => {
  it("finds no difference between a policy and itself, at low priority, and says the same again", async () => {
    let priority = 0;
    const { code, events } = await run(job({ baseline: calm }), ({ type }, { pid }) => {
      if (type === "started" && pid !== undefined) priority = getPriority(pid);
    });
    expect(code).toBe(0);
    expect(priority).toBeGreaterThanOrEqual(10);
    const { passed, checks, summary, candidate, baseline, judge, prompts } = verdict();
    expect({ passed, prompts, judge }).toMatchObject({ passed: true, prompts: 12, judge: { name: "toxicity-judge" } });
    expect(candidate).toEqual(baseline);
    for (const { name, difference } of checks) {
      const none = name === "kl" ? 0 : ["perplexity", "length"].includes(name) || name.startsWith("distinct") ? 1 : 0;
      expect([name, difference?.estimate]).toEqual([name, expect.closeTo(none, 5)]);
    }
    expect(summary).toMatch(/^rejoinder@1 passed all \d+ checks against rejoinder@1 on 12 held-out prompts\./);
    expect(events.at(0)).toMatchObject({ type: "started", exchanges: 12 });
    expect(events.at(-1)).toMatchObject({ type: "succeeded", sha256: calm.sha256 });

    const before = readFileSync(verdictFile(), "utf8");
    const again = await run(job({ baseline: calm }));
    expect(again.code).toBe(0);
    expect(again.events.map(({ type }) => type)).toEqual(["succeeded"]);
    expect(readFileSync(verdictFile(), "utf8")).toBe(before);
  });

  it("tells a policy gone wild by its KL", async () => {
    const { code } = await run(job({ candidate: wild }));
    expect(code).toBe(0);
    const found = verdict();
    expect(found.passed).toBe(false);
    expect(failed(found)).toContain("kl");
    expect(found.summary).toMatch(/failed \d+ of \d+ checks \(.*kl.*\) against the base model on 12 /);
  });

  it("weighs logged replies of held-out conversations, and asks their prompts too", async () => {
    const heldOut = join(folder, "held-out.jsonl");
    writeFileSync(heldOut, (await loggedExchanges(60)).map((exchange) => `${JSON.stringify(exchange)}\n`).join(""));
    expect((await run(job({ heldOut }))).code).toBe(0);
    const { prompts, offPolicy } = verdict();
    expect(prompts).toBe(72);
    expect(offPolicy).toMatchObject({ n: 60, baseline: 0.5 });
    expect(offPolicy?.effectiveSampleSize).toBeGreaterThan(20);
    expect(offPolicy?.estimate).toBeGreaterThan(offPolicy?.low ?? 1);
  });

  it.each([
    ["the judge is damaged", "judge_failed", /judge .*broken cannot be loaded/],
    ["there are too few prompts", "too_few_prompts", /at least 50 held-out prompts, there are 12/],
    ["the adapter is another one", "wrong_adapter", /has sha256 .*, the job names ff/],
    ["a prompt is none", "bad_prompts", /prompts\.jsonl, line 1:.*either text or messages/s],
  ])("says why there is no verdict when %s", async (_, code, message) => {
    const broken = join(folder, "broken");
    cpSync(path("models/toxicity-judge"), broken, { recursive: true });
    writeFileSync(join(broken, "model.safetensors"), "no weights");
    writeFileSync(join(folder, "prompts.jsonl"), '{"reply": "Hello."}\n');
    const changes: Record<string, Partial<GateJob>> = {
      judge_failed: { judge: broken },
      too_few_prompts: { limits: { ...job().limits, fewestPrompts: 50 } },
      wrong_adapter: { candidate: { ...calm, sha256: "ff" } },
      bad_prompts: { prompts: [join(folder, "prompts.jsonl")] },
    };
    const ended = await run(job(changes[code]));
    expect(ended.code).toBe(1);
    expect(ended.events.at(-1)).toMatchObject({
      type: "failed",
      error: { code, message: expect.stringMatching(message) },
    });
    expect(existsSync(verdictFile())).toBe(false);
  });

  it.runIf(existsSync("/dev/full"))("leaves no verdict where there is no room for one", async () => {
    mkdirSync(join(folder, "out"));
    symlinkSync("/dev/full", `${verdictFile()}.new`);
    const { code, events } = await run(job());
    expect(code).toBe(1);
    expect(events.at(-1)).toMatchObject({ type: "failed", error: { code: "cannot_save" } });
    expect(existsSync(verdictFile())).toBe(false);
  });

  it("starts anew after being stopped or killed on the way, and comes to the same verdict", async () => {
    const stop = (signal: NodeJS.Signals) => (event: TrainingEvent, process_: ChildProcess) => {
      if (event.type === "started") process_.kill(signal);
    };
    expect((await run(job(), stop("SIGTERM"))).code).toBe(75);
    expect((await run(job(), stop("SIGKILL"))).signal).toBe("SIGKILL");
    expect(existsSync(verdictFile())).toBe(false);
    expect((await run(job())).code).toBe(0);
    const { at: _, ...interrupted } = verdict();
    rmSync(join(folder, "out"), { recursive: true });
    expect((await run(job())).code).toBe(0);
    const { at: __, ...straight } = verdict();
    expect(interrupted).toEqual(straight);
  });
});
