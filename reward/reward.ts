/** The reward as others load it: from a configuration file, a classifier's folder, or what comes with the product. */
import { statSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { createReward } from "./compose.ts";
import { parseConfiguration, type RewardConfiguration, readConfiguration } from "./configuration.ts";
import { defaultTerms } from "./default-composition.ts";
import { loadModels, loadTerms } from "./load-terms.ts";
import type { Reward } from "./types.ts";

export { type ExchangeToJudge, type JudgedExchange, type Reward, RewardError } from "./types.ts";

/**
 * @param path a configuration file (.yaml, .yml or .json), or a folder with a classifier, which takes the embedded one's
 *   place in the default composition; undefined for the default composition
 * @param environment where keys of services are looked up
 * @throws Error naming the file and the place in it that is wrong, or what is missing
 */
export async function loadReward(path?: string, environment: NodeJS.ProcessEnv = process.env): Promise<Reward> {
  const { name, terms, folder } = configurationOf(path);
  const place = { folder, environment };
  try {
    const [shown, ...others] = await loadModels(terms, place);
    if (shown === undefined) throw new Error("no toxicity model was loaded");
    const models = [shown, ...others] as const;
    try {
      return createReward({
        name: name ?? shown.model.name,
        models,
        terms: await loadTerms(terms, place),
        annotationWeight: terms.annotation?.weight ?? 0,
      });
    } catch (error) {
      await Promise.all(models.map(({ model }) => model.dispose()));
      throw error;
    }
  } catch (cause) {
    if (path === undefined || !isConfigurationFile(path) || !(cause instanceof Error)) throw cause;
    throw new Error(`${path}: ${cause.message}`, { cause });
  }
}

const isConfigurationFile = (path: string) => [".yaml", ".yml", ".json"].includes(extname(path).toLowerCase());

function configurationOf(path: string | undefined): RewardConfiguration {
  if (path !== undefined && isConfigurationFile(path)) return readConfiguration(path);
  if (path !== undefined && !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${path}: expected a folder with a classifier, or a configuration file (.yaml, .yml, .json)`);
  }
  const source = path === undefined ? "the default reward" : basename(path);
  const { terms } = parseConfiguration(
    { terms: defaultTerms(path === undefined ? "embedded" : resolve(path)) },
    source,
  );
  return { name: undefined, terms, folder: "." };
}
