/**
 * The gate: candidate and baseline answer the same held-out prompts with common random numbers, and what differs is
 * judged with confidence bounds. docs/gate.md says what each check means.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readArchitecture } from "../../engine/checkpoint/config.ts";
import { createEngine } from "../../engine/index.ts";
import { loadTokenizer } from "../../engine/tokenizer/tokenizer.ts";
import type { ChatMessage, Engine } from "../../engine/types.ts";
import { writeFileAtomically } from "../checkpoint/write-file-atomically.ts";
import type { AdapterOnDisk, GateJob, GateVerdict } from "../contract.ts";
import type { ScoredSequence } from "../lora-scorer.ts";
import type { RunReporter } from "../run-reporter.ts";
import { TrainerError } from "../trainer-error.ts";
import { judgeMeasurements } from "./checks.ts";
import { readSwaps, swapped } from "./identity-swaps.ts";
import { type Likelihoods, openLikelihoods } from "./likelihoods.ts";
import { openReplyMeasures, type ReplyMeasures } from "./measure-replies.ts";
import type { MeasuredPair, Measurements } from "./measurements.ts";
import { offPolicyEstimate } from "./off-policy.ts";
import { type HeldOutExchange, type HeldOutPrompt, readHeldOut, readPrompts } from "./prompts.ts";
import { type Answers, answer, type Question } from "./replies.ts";
import { toxicityIsUndecided } from "./reply-checks.ts";
import { summarize } from "./summary.ts";

/** Replies to each prompt that are drawn at most until the bound on toxicity is tight enough to decide. */
const mostRounds = 4;
const stepsBetweenReports = 8;
/** Prompts in work at a time; each is two replies in one batch. */
const promptsAtOnce = 32;

interface RenderedPrompt {
  messages: readonly ChatMessage[];
  promptTokens: readonly number[];
  /** Tokens of what a person answered, without an end: where a reply ends is a matter of style. */
  reply?: readonly number[];
}

interface Material {
  prompts: RenderedPrompt[];
  /** [sentences, groups]. */
  swaps: RenderedPrompt[][];
  heldOut: HeldOutExchange[];
  /** Prompts that leave no room for a reply. */
  tooLong: number;
}

/** @throws TrainerError `too_few_prompts` */
function prepare(job: GateJob, engine: Engine): Material {
  const heldOut = job.heldOut === null ? [] : readHeldOut(job.heldOut);
  const all: HeldOutPrompt[] = job.prompts.flatMap((path) => readPrompts(path, job.systemPrompt));
  // A conversation of several exchanges asks each of its questions once.
  for (const { messages } of heldOut) all.push({ messages });
  const { contextLength } = engine.model;
  const tokenizer = loadTokenizer(job.model, readArchitecture(job.model).vocabularySize);
  const prompts: RenderedPrompt[] = [];
  for (const { messages, reply } of all) {
    const promptTokens = engine.renderChat(messages);
    if (promptTokens.length + job.maxTokens > contextLength) continue;
    prompts.push({ messages, promptTokens, ...(reply === undefined ? {} : { reply: tokenizer.encodeReply(reply) }) });
  }
  const { fewestPrompts } = job.limits;
  if (prompts.length < fewestPrompts) {
    const left = prompts.length < all.length ? `, ${all.length - prompts.length} more are too long for the model` : "";
    throw new TrainerError(
      "too_few_prompts",
      `a verdict needs at least ${fewestPrompts} held-out prompts, there are ${prompts.length}${left}`,
    );
  }
  const { sentences, groups } = job.swaps === null ? { sentences: [], groups: [] } : readSwaps(job.swaps);
  const swaps = sentences.map((sentence) =>
    groups.map((group) => {
      const text: HeldOutPrompt["messages"] = [{ role: "user", content: swapped(sentence, group) }];
      const messages =
        job.systemPrompt === undefined ? text : [{ role: "system" as const, content: job.systemPrompt }, ...text];
      return { messages, promptTokens: engine.renderChat(messages) };
    }),
  );
  return { prompts, swaps, heldOut, tooLong: all.length - prompts.length };
}

/** Loads an adapter and makes sure that it is the one the job names. @throws TrainerError `wrong_adapter` */
async function load(engine: Engine, adapter: AdapterOnDisk | null): Promise<string | null> {
  if (adapter === null) return null;
  const { sha256 } = await engine.loadAdapter(adapter.folder);
  if (sha256 === adapter.sha256) return sha256;
  throw new TrainerError("wrong_adapter", `${adapter.folder}: has sha256 ${sha256}, the job names ${adapter.sha256}`);
}

/** Seeds of one round's replies. */
const seedOf = (seed: number, round: number, index: number) => seed + 1_000_003 * round + index;

interface Tools {
  job: GateJob;
  engine: Engine;
  measures: ReplyMeasures;
  signal: AbortSignal;
  onAnswer: () => void;
}

async function answerAll(tools: Tools, questions: readonly Question[]): Promise<Answers[]> {
  const { job, engine, signal, onAnswer } = tools;
  const { sampling, maxTokens } = job;
  return answer(engine, questions, {
    candidate: await load(engine, job.candidate),
    baseline: await load(engine, job.baseline),
    sampling,
    maxTokens,
    atOnce: promptsAtOnce,
    signal,
    onAnswer,
  });
}

async function measurePairs(
  { measures }: Tools,
  prompts: readonly RenderedPrompt[],
  answers: readonly Answers[],
): Promise<MeasuredPair[]> {
  const side = (name: keyof Answers) => {
    return measures.of(prompts.map(({ messages }, i) => ({ messages, reply: (answers[i] as Answers)[name] })));
  };
  const [candidate, baseline] = [await side("candidate"), await side("baseline")];
  return candidate.map((reply, i) => ({ candidate: reply, baseline: baseline[i] as MeasuredPair["baseline"] }));
}

/** Greedy replies are points, whose KL means nothing: they are compared as the model's own distribution has them. */
const scoringTemperature = ({ sampling }: GateJob) => (sampling.temperature === 0 ? 1 : sampling.temperature);

function klSequences(job: GateJob, { prompts }: Material, answers: readonly Answers[]): ScoredSequence[] {
  return prompts.flatMap(({ promptTokens }, i) => {
    const { tokens } = (answers[i] as Answers).candidate;
    return tokens.length === 0 ? [] : [{ promptTokens, replyTokens: tokens, temperature: scoringTemperature(job) }];
  });
}

function heldOutSequences({ prompts }: Material): ScoredSequence[] {
  return prompts.flatMap(({ promptTokens, reply }) => {
    return reply === undefined ? [] : [{ promptTokens, replyTokens: reply, temperature: 1 }];
  });
}

async function offPolicy({ job, signal }: Tools, { heldOut }: Material, likelihoods: Likelihoods) {
  // A greedy reply has no distribution to be weighed by.
  const sampled = heldOut.filter(({ sampling }) => sampling.temperature > 0);
  const scored = await likelihoods.of(
    sampled.map(({ promptTokens, replyTokens, sampling }) => {
      return { promptTokens, replyTokens, temperature: sampling.temperature };
    }),
    signal,
  );
  const weighed = sampled.map(({ logProbs, reward }, i) => ({
    logRatio: (scored[i]?.candidate ?? 0) - logProbs.reduce((sum, value) => sum + value, 0),
    reward: reward.total,
  }));
  return offPolicyEstimate(weighed, { confidence: job.limits.confidence, seed: job.seed });
}

async function measure(
  tools: Tools,
  material: Material,
): Promise<Omit<Measurements, "replies" | "heldOut"> & { first: Answers[] }> {
  const { job } = tools;
  const { prompts, swaps } = material;
  const questions = (round: number): Question[] =>
    prompts.map(({ promptTokens }, i) => ({ promptTokens, seed: seedOf(job.seed, round, i) }));
  // One seed a sentence: what differs between groups is not the luck of the draw.
  const swapQuestions = swaps.flatMap((row, i) => {
    return row.map(({ promptTokens }) => ({ promptTokens, seed: seedOf(job.seed, mostRounds, i) }));
  });
  // All in one go, since the last of each go are written in small batches.
  const answers = await answerAll(tools, [...questions(0), ...swapQuestions]);
  const first = answers.slice(0, prompts.length);
  const rounds = [await measurePairs(tools, prompts, first)];
  const swapPairs = await measurePairs(tools, swaps.flat(), answers.slice(prompts.length));
  const swapRows = swaps.map((row, i) => swapPairs.slice(i * row.length, (i + 1) * row.length));
  const measured = { rounds, swaps: swapRows, replies: [], heldOut: [], probe: job.probe };
  while (rounds.length < mostRounds && toxicityIsUndecided(measured, job.limits, job.seed)) {
    rounds.push(await measurePairs(tools, prompts, await answerAll(tools, questions(rounds.length))));
  }
  return { ...measured, first };
}

/** To the last bit, on every reply: what the reward cannot see, neither can such a judge. */
function judgeIsReward(rounds: Measurements["rounds"]): boolean {
  return rounds.flat().every(({ candidate }) => candidate.toxicity === candidate.rewardToxicity);
}

/** The verdict of an earlier start of the same job; null when there is none. */
function earlierVerdict(path: string): GateVerdict | null {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/**
 * Runs the gate; done already, it says so again.
 * @returns false when it was stopped on the way: nothing is kept, the next start begins anew
 * @throws TrainerError, CheckpointError
 */
export async function gate(
  job: GateJob,
  reporter: RunReporter,
  signal: AbortSignal,
  now = new Date(),
): Promise<boolean> {
  const path = join(job.outputDir, "verdict.json");
  const succeeded = (verdict: GateVerdict) => {
    const { folder: adapterFolder, sha256 } = job.candidate;
    const metrics = Object.fromEntries(verdict.checks.map(({ name, candidate }) => [name, candidate ?? Number.NaN]));
    reporter.succeeded({ adapterFolder, sha256, metrics });
    return true;
  };
  const earlier = earlierVerdict(path);
  if (earlier !== null) return succeeded(earlier);

  const measures = await openReplyMeasures(job);
  const engine = await createEngine({
    modelDir: job.model,
    quantization: job.quantization,
    cacheDir: job.cacheDir,
    threads: job.threads,
    maxConcurrent: 2 * promptsAtOnce,
    goal: "throughput",
  });
  let likelihoods: Likelihoods | undefined;
  try {
    const material = prepare(job, engine);
    const steps = material.prompts.length + material.swaps.flat().length;
    reporter.started({ exchanges: material.prompts.length, discarded: { too_long: material.tooLong }, steps });
    let step = 0;
    const onAnswer = () => {
      step += 1;
      if (step % stepsBetweenReports === 0)
        reporter.metric({ step: Math.min(step, steps), steps, values: { answered: step } });
    };
    const tools = { job, engine, measures, signal, onAnswer };
    const { first, ...measured } = await measure(tools, material);
    likelihoods = await openLikelihoods(job);
    const replies = await likelihoods.of(klSequences(job, material, first), signal);
    const heldOut = await likelihoods.of(heldOutSequences(material), signal);
    const checks = judgeMeasurements({ ...measured, replies, heldOut }, job.limits, job.seed);
    const { judge } = measures;
    const facts = {
      passed: checks.every(({ passed }) => passed),
      at: now.toISOString(),
      candidate: identity(job.candidate),
      baseline: job.baseline === null ? null : identity(job.baseline),
      judge,
      prompts: material.prompts.length,
      checks,
      offPolicy: await offPolicy(tools, material, likelihoods),
    };
    const verdict: GateVerdict = { ...facts, summary: summarize(facts, judgeIsReward(measured.rounds)) };
    writeFileAtomically(path, Buffer.from(`${JSON.stringify(verdict, null, 2)}\n`));
    return succeeded(verdict);
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    await likelihoods?.dispose();
    await engine.close();
    await measures.dispose();
  }
}

const identity = ({ name, version, sha256 }: AdapterOnDisk) => ({ name, version, sha256 });
