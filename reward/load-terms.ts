/** Loads what a configuration names: every arrow from the reward to its models is drawn here. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { WeightedModel, WeightedTerm } from "./compose.ts";
import type { ModelSettings, PerspectiveSettings, TermSettings } from "./configuration.ts";
import { loadRewardModel } from "./load-reward-model.ts";
import { createEnsemble } from "./models/ensemble.ts";
import { createPerspectiveModel } from "./models/perspective.ts";
import { loadEmbeddedSimilarity } from "./relevance/embedded-similarity.ts";
import { loadEncoderSimilarity } from "./relevance/encoder-similarity.ts";
import { relevanceTerm } from "./terms/relevance.ts";
import type { Term } from "./terms/term.ts";
import { emptyTerm, evasionTerm, languageTerm, lengthTerm, repetitionTerm } from "./terms/text-terms.ts";
import type { RewardModel } from "./types.ts";

const shipped = (name: string) => fileURLToPath(new URL(`../models/${name}`, import.meta.url));

/** Where the words "embedded" of a configuration point to. */
const embeddedClassifier = shipped("toxicity-small");
const embeddedRelevance = shipped("relevance-small");

export interface Place {
  /** Folders of the configuration are meant from here. */
  folder: string;
  environment: NodeJS.ProcessEnv;
}

/** A classifier for each of the terms `toxicity`, `ensemble` and `perspective` that is there, in this order. */
export async function loadModels(terms: TermSettings, place: Place): Promise<WeightedModel[]> {
  const loaded: WeightedModel[] = [];
  try {
    const { toxicity, ensemble, perspective } = terms;
    if (toxicity) {
      const { weight, bound, enough, model } = toxicity;
      loaded.push({ term: "toxicity", weight, range: { bound, enough }, model: await loadModel(model, place) });
    }
    if (ensemble) {
      const { weight, bound, enough, models, ...options } = ensemble;
      const members = await loadAll(models.map((model) => () => loadModel(model, place)));
      const model = createEnsemble(members, { bound, ...options });
      loaded.push({ term: "ensemble", weight, range: { bound, enough }, model });
    }
    if (perspective) {
      const { weight, bound, enough, ...settings } = perspective;
      const model = perspectiveModel(settings, place);
      loaded.push({ term: "perspective", weight, range: { bound, enough }, model });
    }
    // Toxicity is shown and logged whether or not it counts.
    if (loaded.length === 0) {
      loaded.push({
        term: "toxicity",
        weight: 0,
        range: { bound: 6, enough: 3 },
        model: await loadModel("embedded", place),
      });
    }
    return loaded;
  } catch (error) {
    await Promise.all(loaded.map(({ model }) => model.dispose()));
    throw error;
  }
}

/** The terms that are no classifier's. */
export async function loadTerms(settings: TermSettings, place: Place): Promise<WeightedTerm[]> {
  const { relevance, evasion, repetition, length, language, empty } = settings;
  const terms: WeightedTerm[] = [];
  const add = (name: string, weight: number, term: Term) => terms.push({ name, weight, term });
  if (evasion) add("evasion", evasion.weight, evasionTerm(evasion));
  if (repetition) add("repetition", repetition.weight, repetitionTerm(repetition));
  if (length) add("length", length.weight, lengthTerm({ least: length.least, most: length.most }));
  if (language) add("language", language.weight, languageTerm(language));
  if (empty) add("empty", empty.weight, emptyTerm());
  // Last, since it alone can fail and would have to be disposed of.
  if (relevance) add("relevance", relevance.weight, await loadRelevance(relevance, place));
  return terms;
}

async function loadRelevance(settings: NonNullable<TermSettings["relevance"]>, place: Place): Promise<Term> {
  const { model } = settings;
  const { similarity, range } =
    model === "embedded"
      ? loadEmbeddedSimilarity(embeddedRelevance)
      : await loadEncoderSimilarity(resolve(place.folder, model));
  const { unrelated = range.unrelated, related = range.related } = settings;
  if (unrelated < related) return relevanceTerm(similarity, { unrelated, related });
  await similarity.dispose();
  throw new Error(`relevance: expected unrelated to be less than related, got ${unrelated} and ${related}`);
}

async function loadModel(model: ModelSettings, place: Place): Promise<RewardModel> {
  if (typeof model !== "string") return perspectiveModel(model.perspective, place);
  return loadRewardModel(model === "embedded" ? embeddedClassifier : resolve(place.folder, model));
}

function perspectiveModel(settings: PerspectiveSettings, { environment }: Place): RewardModel {
  const { key: ownKey, keyVariable, language, ...options } = settings;
  const key = ownKey ?? (keyVariable === null ? undefined : environment[keyVariable]);
  if (!key && keyVariable !== null) {
    throw new Error(
      `perspective: expected the API key in the environment variable ${keyVariable}, which is not set; ` +
        "keyVariable: null asks without a key",
    );
  }
  return createPerspectiveModel({ ...options, key, language: language ?? undefined });
}

/** One after the other; where one fails, those before it are freed. */
async function loadAll(loaders: readonly (() => Promise<RewardModel>)[]): Promise<RewardModel[]> {
  const models: RewardModel[] = [];
  try {
    for (const load of loaders) models.push(await load());
    return models;
  } catch (error) {
    await Promise.all(models.map((model) => model.dispose()));
    throw error;
  }
}
