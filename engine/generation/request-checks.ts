/** What a request must be like before it may wait in the queue. */
import { EngineRequestError, type GenerationRequest } from "../types.ts";

export interface ModelLimits {
  vocabularySize: number;
  contextLength: number;
}

const invalid = (message: string) => new EngineRequestError("invalid_option", message);

function checkNumber(name: string, value: number, wanted: string, isFine: (value: number) => boolean): void {
  if (typeof value !== "number" || !isFine(value)) throw invalid(`${name} must be ${wanted}, not ${String(value)}`);
}

/** @throws EngineRequestError for a token id that the model does not know */
export function checkTokens(tokens: readonly number[], { vocabularySize }: ModelLimits): void {
  const wrong = tokens.findIndex((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize);
  if (wrong >= 0) {
    throw invalid(`token ${wrong} has the id ${tokens[wrong]}; this model knows the ids 0 to ${vocabularySize - 1}`);
  }
}

/** @throws EngineRequestError naming what is out of range; `context_length_exceeded` where no token would fit */
export function checkRequest(request: GenerationRequest, limits: ModelLimits): void {
  const { promptTokens, sampling, maxTokens, stop, topLogProbs = 0 } = request;
  const isWhole = (low: number, high: number) => (value: number) =>
    Number.isSafeInteger(value) && value >= low && value <= high;
  const isBetween = (low: number, high: number) => (value: number) => value >= low && value <= high;
  checkNumber("temperature", sampling.temperature, "between 0 and 2", isBetween(0, 2));
  checkNumber("topK", sampling.topK, "a whole number from 0", isWhole(0, Number.MAX_SAFE_INTEGER));
  checkNumber("topP", sampling.topP, "above 0 and at most 1", (value) => value > 0 && value <= 1);
  checkNumber("repetitionPenalty", sampling.repetitionPenalty, "between 1 and 2", isBetween(1, 2));
  checkNumber("seed", sampling.seed, "a whole number", Number.isSafeInteger);
  checkNumber("maxTokens", maxTokens, "a whole number from 1", isWhole(1, Number.MAX_SAFE_INTEGER));
  checkNumber("topLogProbs", topLogProbs, "a whole number from 0 to 20", isWhole(0, 20));
  const noStop = stop.findIndex((text) => typeof text !== "string" || text === "");
  if (noStop >= 0)
    throw invalid(`stop[${noStop}] must be a string that is not empty, not ${JSON.stringify(stop[noStop])}`);
  if (promptTokens.length === 0) throw invalid("the prompt holds no token");
  checkTokens(promptTokens, limits);
  if (promptTokens.length >= limits.contextLength) {
    throw new EngineRequestError(
      "context_length_exceeded",
      `the prompt is ${promptTokens.length} tokens long, which leaves no room for a reply in a context of ` +
        `${limits.contextLength} tokens`,
    );
  }
}
