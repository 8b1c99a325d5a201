/**
 * Would speculative decoding by prompt lookup pay? Three things decide: what a step with 1 + `draft` new tokens costs
 * against one with a single token, how often the last three tokens (two, one) have stood before, as only then is there a
 * draft, and
 * how many of the drafted tokens the reply then really has. Drafting changes no distribution when a draft is accepted
 * exactly while it equals what is drawn, so recorded replies tell the third.
 *
 * Usage: node bench/speculative-decoding.ts [model folder]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { flattenAdapter } from "../engine/generation/adapter-stack.ts";
import { StepModel } from "../engine/generation/step-model.ts";
import { createEngine } from "../engine/index.ts";
import { readPeftAdapter } from "../engine/lora/peft.ts";
import { openBaseModel } from "../engine/open-base-model.ts";
import { defaultSampling } from "../engine/types.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const modelDir = positionals[0] ?? join(import.meta.dirname, "../models/rejoinder-tiny");
const adapterDir = join(modelDir, "adapters/1");
const draft = 3;
const lookups = [3, 2, 1];

const subjects = [
  "Migrants",
  "Muslims",
  "Women",
  "Jews",
  "Gay people",
  "The disabled",
  "Refugees",
  "Roma",
  "Old people",
];
const sentences = [
  "only take and never give anything back.",
  "should not be allowed to decide anything in this country.",
  "are the reason why I cannot find a flat or a decent job any more.",
  "have it far too easy, and everybody is afraid to say so.",
  "do not belong here.",
  "get everything for free while the rest of us work. Why does nobody ever ask who pays for all of it?",
  "always complain. They complain in the morning and they complain at night.",
  "are all the same, I have met enough of them.",
  "ruin our schools, our streets and our towns.",
  "would be happier somewhere else, so let us send them there.",
  "lie to the police, lie to the courts and lie to the papers.",
];
const prompts = subjects.flatMap((subject) => sentences.map((sentence) => `${subject} ${sentence}`));
prompts.push("Be honest: you would not want them as your neighbours either.");

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

/** Milliseconds of a step with each number of new tokens, in turn so that a busy moment meets all of them. */
async function stepCosts(quantization: "none" | "int4"): Promise<Map<number, number>> {
  const base = await openBaseModel(modelDir, { quantization });
  const model = await StepModel.create(base, { threads: 2 });
  const peft = readPeftAdapter(adapterDir, base.architecture);
  const matrices = flattenAdapter(peft, base.architecture.linearModules);
  const adapter = await model.stack({ sha256: "1", rank: peft.shape.rank, matrices });
  const cache = model.createCache();
  cache.reserve(1, 128);
  const times = new Map([1, 2, 1 + draft].map((time) => [time, [] as number[]]));
  for (let round = 0; round < 400; round++) {
    for (const [time, taken] of times) {
      const tokens = Array.from({ length: time }, (_, i) => 100 + i);
      const places = tokens.map((_, at) => ({ at, sampling: { ...defaultSampling, seed: 1 } }));
      const start = performance.now();
      await model.predict(cache, 0, [{ tokens, start: 64, adapter }], places);
      if (round >= 40) taken.push(performance.now() - start);
    }
  }
  await model.dispose();
  return new Map([...times].map(([time, taken]) => [time, median(taken)]));
}

interface Tally {
  tokens: number;
  plain: number;
  drafted: number;
  /** Steps with a draft by the number of drafted tokens that were right. */
  accepted: number[];
}

/** What the last earlier place of the last tokens was followed by. */
function lookUp(tokens: readonly number[], lookup: number): number[] {
  const key = tokens.slice(-lookup);
  for (let at = tokens.length - lookup - 1; at >= 0; at--) {
    if (key.every((token, i) => tokens[at + i] === token)) return tokens.slice(at + lookup, at + lookup + draft);
  }
  return [];
}

function simulate(prompt: readonly number[], reply: readonly number[], lookup: number, tally: Tally): void {
  // The first token comes with the prompt.
  for (let said = 1; said < reply.length; ) {
    const guess = lookUp([...prompt, ...reply.slice(0, said)], lookup);
    let right = 0;
    while (right < guess.length && guess[right] === reply[said + right]) right++;
    if (guess.length === 0) tally.plain += 1;
    else {
      tally.drafted += 1;
      tally.accepted[right] = (tally.accepted[right] ?? 0) + 1;
    }
    said += right + 1;
  }
  tally.tokens += reply.length - 1;
}

async function acceptance(temperature: number): Promise<Tally[]> {
  const engine = await createEngine({ modelDir });
  const { sha256 } = await engine.loadAdapter(adapterDir);
  const tallies = lookups.map((): Tally => ({ tokens: 0, plain: 0, drafted: 0, accepted: Array(draft + 1).fill(0) }));
  for (const [seed, content] of prompts.entries()) {
    const promptTokens = engine.renderChat([{ role: "user", content }]);
    const sampling = { ...defaultSampling, temperature, seed };
    const steps = engine.generate({ promptTokens, adapter: sha256, sampling, maxTokens: 128, stop: [] });
    let step = await steps.next();
    while (!step.done) step = await steps.next();
    const { tokens } = step.value;
    for (const [i, tally] of tallies.entries()) simulate(promptTokens, tokens, lookups[i] as number, tally);
  }
  await engine.close();
  return tallies;
}

const costs = new Map<string, Map<number, number>>();
for (const quantization of ["none", "int4"] as const) {
  const cost = await stepCosts(quantization);
  costs.set(quantization, cost);
  console.log(
    quantization,
    Object.fromEntries([...cost].map(([time, ms]) => [`${time} tokens`, `${ms.toFixed(3)} ms`])),
  );
}
for (const temperature of [defaultSampling.temperature, 0]) {
  for (const [i, tally] of (await acceptance(temperature)).entries()) {
    console.log(`temperature ${temperature}, ${prompts.length} replies, last ${lookups[i]} tokens looked up`, tally);
    for (const [quantization, cost] of costs) {
      const [one, many] = [cost.get(1) as number, cost.get(1 + draft) as number];
      const gain = (tally.tokens * one) / (tally.plain * one + tally.drafted * many) - 1;
      console.log(`  ${quantization}: ${(100 * gain).toFixed(1)} % more tokens a second`);
    }
  }
}
