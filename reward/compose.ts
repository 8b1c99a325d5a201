/** A reward made of weighted terms. */
import { judgementValues } from "./annotations/judgement.ts";
import type { Term, TermInput } from "./terms/term.ts";
import { type HarmlessnessRange, harmlessness } from "./terms/toxicity.ts";
import {
  type ExchangeReward,
  type ExchangeToJudge,
  type JudgedExchange,
  type Reward,
  RewardError,
  type RewardModel,
  type ToxicityScore,
} from "./types.ts";
import { versionOf } from "./version.ts";

/** A toxicity model whose opinion of the reply is a term. */
export interface WeightedModel {
  term: string;
  weight: number;
  range: HarmlessnessRange;
  model: RewardModel;
}

export interface WeightedTerm {
  name: string;
  weight: number;
  term: Term;
}

export interface Composition {
  name: string;
  /** At least one. The first one's probabilities are those that are shown and logged as toxicity. */
  models: readonly [WeightedModel, ...WeightedModel[]];
  terms: readonly WeightedTerm[];
  annotationWeight: number;
}

/** Raised when what is computed of the same parts changes. */
const code = 1;

/** Every model and term of the composition belongs to the reward from now on, which disposes of them. */
export function createReward({ name, models, terms, annotationWeight }: Composition): Reward {
  const version = versionOf({
    code,
    models: models.map(({ term, weight, range, model }) => ({ term, weight, range, model: model.version })),
    terms: Object.fromEntries(terms.map(({ name, weight, term }) => [name, { weight, ...term.identity }])),
    annotation: { weight: annotationWeight, judgementValues },
  });
  const [shown] = models;

  /** Each reply's parts by this model, and all its scores. */
  async function byModel({ term, weight, range, model }: WeightedModel, texts: readonly string[], replies: number) {
    const scores = await named(term, async () => checkScores(model, texts, await model.score(texts)));
    return { scores, parts: scores.slice(0, replies).map((score) => weight * harmlessness(score, range)) };
  }

  return {
    name,
    version,
    annotationWeight,

    async judge(exchanges) {
      if (exchanges.length === 0) return [];
      const inputs = exchanges.map(asInput);
      const replies = inputs.map(({ reply }) => reply);
      const prompts = inputs.map(({ prompt }) => prompt);
      const scored = await Promise.all(
        models.map((model) => byModel(model, model === shown ? [...replies, ...prompts] : replies, replies.length)),
      );
      const valued = await Promise.all(
        terms.map(({ name, weight, term }) =>
          named(name, async () => checkValues(inputs, await term.values(inputs)).map((value) => weight * value)),
        ),
      );
      const columns: [string, number[]][] = [
        ...models.map(({ term }, i): [string, number[]] => [term, scored[i]?.parts ?? []]),
        ...terms.map(({ name }, i): [string, number[]] => [name, valued[i] ?? []]),
      ];
      const scores = scored[0]?.scores ?? [];
      return exchanges.map((_, i): JudgedExchange => {
        const reply = scores[i] as ToxicityScore;
        const prompt = scores[i + exchanges.length] as ToxicityScore;
        const parts = Object.fromEntries(columns.map(([term, values]) => [term, values[i] as number]));
        return {
          toxicity: { prompt: prompt.toxicity, reply: reply.toxicity, attributes: withToxicity(reply) },
          reward: withTotal(version, { ...parts, annotation: 0 }),
        };
      });
    },

    async attributes(text) {
      const { model, term } = shown;
      const [score] = await named(term, async () => checkScores(model, [text], await model.score([text])));
      return withToxicity(score as ToxicityScore);
    },

    async dispose() {
      const parts = [...models.map(({ model }) => model), ...terms.map(({ term }) => term)];
      await Promise.all(parts.map((part) => part.dispose?.()));
    },
  };
}

function asInput({ messages, reply, finishReason = "stop" }: ExchangeToJudge): TermInput {
  return { prompt: messages.findLast(({ role }) => role === "user")?.content ?? "", reply, finishReason };
}

const withToxicity = ({ attributes, toxicity }: ToxicityScore) => ({ ...attributes, TOXICITY: toxicity });

function withTotal(version: string, terms: Record<string, number>): ExchangeReward {
  // `+ 0` turns -0 into 0: a term that does not apply reads 0 in logs and JSON.
  const shown = Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, value + 0]));
  return { version, total: Object.values(shown).reduce((sum, value) => sum + value, 0), terms: shown };
}

/** What fails within `work` fails by the name of the term. */
async function named<T>(term: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new RewardError(term, { cause });
  }
}

function checkScores(model: RewardModel, texts: readonly string[], scores: ToxicityScore[]): ToxicityScore[] {
  if (scores.length !== texts.length) {
    throw new Error(`${model.name} was given ${texts.length} texts and scored ${scores.length}`);
  }
  const bad = scores.find(({ logit, toxicity }) => Number.isNaN(logit) || !(toxicity >= 0 && toxicity <= 1));
  if (bad) throw new Error(`${model.name} gave a text the log-odds ${bad.logit} and the toxicity ${bad.toxicity}`);
  return scores;
}

function checkValues(inputs: readonly TermInput[], values: readonly number[]): readonly number[] {
  if (values.length !== inputs.length) throw new Error(`expected ${inputs.length} values, got ${values.length}`);
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad !== undefined) throw new Error(`expected finite values, got ${bad}`);
  return values;
}
