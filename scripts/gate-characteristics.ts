/**
 * How often does the gate turn away a candidate that is as good as the baseline, and how often one that is worse? Prints
 * the Markdown tables of docs/gate.md.
 *
 *     node scripts/gate-characteristics.ts [--adapter DIR | --adapter base] [--pool 8] [--gates 400]
 *
 * A pool of replies of one policy is drawn for every prompt of the gate. Each simulated gate then takes replies of that
 * pool for the baseline and others for the candidate: two policies that are equal, without the common random numbers that
 * would make them equal to the letter. That is the hardest case for a fair gate: a candidate that differs in every reply
 * and is no worse. For the power, a share of the candidate's replies is made worse. KL, perplexity and the probe do not
 * depend on the luck of sampling and are left out.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../engine/index.ts";
import { defaultSampling, type GenerationResult } from "../engine/types.ts";
import { defaultReplyRoom } from "../server/pipeline/prompt.ts";
import { judgeMeasurements } from "../trainer/gate/checks.ts";
import { readSwaps, swapped } from "../trainer/gate/identity-swaps.ts";
import { defaultGateLimits } from "../trainer/gate/limits.ts";
import { type MeasuredReply, openReplyMeasures } from "../trainer/gate/measure-replies.ts";
import type { MeasuredPair, Measurements } from "../trainer/gate/measurements.ts";
import { readPrompts } from "../trainer/gate/prompts.ts";
import type { Question } from "../trainer/gate/replies.ts";
import { toxicityIsUndecided } from "../trainer/gate/reply-checks.ts";
import { seededRandom } from "../trainer/pretrain/shuffle.ts";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(root, "models", "rejoinder-tiny") },
    adapter: { type: "string", default: join(root, "models", "rejoinder-tiny", "adapters", "1") },
    judge: { type: "string", default: join(root, "models", "toxicity-judge") },
    pool: { type: "string", default: "8" },
    gates: { type: "string", default: "400" },
  },
});
const pool = Number(values.pool);
const gates = Number(values.gates);

const engine = await createEngine({ modelDir: values.model, maxConcurrent: 16 });
const adapter = values.adapter === "base" ? null : (await engine.loadAdapter(values.adapter)).sha256;
const measures = await openReplyMeasures({ judge: values.judge, reward: null, language: "en" });
const prompts = readPrompts(join(root, "datasets", "gate", "prompts.jsonl")).map(({ messages }) => messages);
const { sentences, groups } = readSwaps(join(root, "datasets", "gate", "identity-swaps.json"));
const swaps = sentences.flatMap((sentence) =>
  groups.map((group) => [{ role: "user" as const, content: swapped(sentence, group) }]),
);
const conversations = [...prompts, ...swaps];

async function reply({ promptTokens, seed }: Question): Promise<GenerationResult> {
  const sampling = { ...defaultSampling, seed };
  const maxTokens = defaultReplyRoom(engine.model.contextLength);
  const stream = engine.generate({ promptTokens, adapter, sampling, maxTokens, stop: [] });
  for (;;) {
    const step = await stream.next();
    if (step.done) return step.value;
  }
}

async function answerAll(questions: readonly Question[]): Promise<GenerationResult[]> {
  const results: GenerationResult[] = [];
  for (let first = 0; first < questions.length; first += 64) {
    results.push(...(await Promise.all(questions.slice(first, first + 64).map(reply))));
  }
  return results;
}

/** [conversations, pool]. */
const replies: MeasuredReply[][] = conversations.map(() => []);
for (let seed = 0; seed < pool; seed++) {
  const questions = conversations.map((messages, i) => {
    // One seed a sentence, as the gate has it.
    const draw = i < prompts.length ? i : prompts.length + Math.floor((i - prompts.length) / groups.length);
    return { promptTokens: engine.renderChat(messages), seed: seed * 100_003 + draw };
  });
  const measured = await measures.of(
    (await answerAll(questions)).map((reply, i) => ({ messages: conversations[i] ?? [], reply })),
  );
  measured.forEach((reply, i) => void replies[i]?.push(reply));
  process.stderr.write(`\r${seed + 1} of ${pool} replies to each of ${conversations.length} prompts`);
}
process.stderr.write("\n");
await engine.close();
await measures.dispose();

const limits = defaultGateLimits;
const mostRounds = 4;
type Worsen = (reply: MeasuredReply, random: () => number) => MeasuredReply;

/** Names of the checks that one simulated gate fails by. */
function simulate(seed: number, worsen: Worsen): string[] {
  const random = seededRandom(seed);
  const pick = (other = -1): number => {
    for (;;) {
      const at = Math.floor(random() * pool);
      if (at !== other) return at;
    }
  };
  const pair = (i: number, candidate = pick(), baseline = pick(candidate)): MeasuredPair => {
    const of = (at: number) => (replies[i] as MeasuredReply[])[at] as MeasuredReply;
    return { candidate: worsen(of(candidate), random), baseline: of(baseline) };
  };
  const round = () => prompts.map((_, i) => pair(i));
  const swapRows = sentences.map((_, row) => {
    const candidate = pick();
    const baseline = pick(candidate);
    return groups.map((__, group) => pair(prompts.length + row * groups.length + group, candidate, baseline));
  });
  const likelihood = { candidate: -60, baseline: -60, kl: 0, tokens: 20 };
  const rounds = [round()];
  const measured: Measurements = { rounds, swaps: swapRows, replies: [likelihood], heldOut: [likelihood], probe: null };
  while (rounds.length < mostRounds && toxicityIsUndecided(measured, limits, seed)) rounds.push(round());
  return judgeMeasurements(measured, limits, seed).flatMap(({ name, passed }) => (passed ? [] : [name]));
}

const share =
  (part: number, change: Partial<MeasuredReply>): Worsen =>
  (reply, random) =>
    random() < part ? { ...reply, ...change } : reply;

const scenarios: [string, Worsen][] = [
  ["as good as the baseline", (reply) => reply],
  ["5 % of replies with toxicity 0.9", share(0.05, { toxicity: 0.9 })],
  ["10 % of replies with toxicity 0.9", share(0.1, { toxicity: 0.9 })],
  ["20 % of replies with toxicity 0.9", share(0.2, { toxicity: 0.9 })],
  ["30 % of replies with toxicity 0.9", share(0.3, { toxicity: 0.9 })],
  ["20 % more evasive replies", share(0.2, { isEvasive: true })],
  ["40 % more evasive replies", share(0.4, { isEvasive: true })],
  ["20 % of replies in another language", share(0.2, { isForeign: true })],
];
console.log(`| candidate | rejected | by |\n|---|---|---|`);
for (const [name, worsen] of scenarios) {
  const counts = new Map<string, number>();
  let rejected = 0;
  for (let gate = 0; gate < gates; gate++) {
    const failed = simulate(gate + 1, worsen);
    if (failed.length > 0) rejected += 1;
    for (const check of failed) counts.set(check, (counts.get(check) ?? 0) + 1);
  }
  const by = [...counts].sort((a, b) => b[1] - a[1]).map(([check, count]) => `${check} ${percent(count)}`);
  console.log(`| ${name} | ${percent(rejected)} | ${by.join(", ")} |`);
}

function percent(count: number): string {
  return `${((100 * count) / gates).toFixed(1)} %`;
}
