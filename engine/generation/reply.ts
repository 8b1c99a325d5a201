/** One reply in the making: what was sampled, the text it became, and whether it has ended. */
import { IncrementalDecoder } from "../tokenizer/incremental-decoder.ts";
import type { TokenBytes } from "../tokenizer/token-bytes.ts";
import type { FinishReason, GenerationChunk, GenerationRequest, GenerationResult } from "../types.ts";
import { penalize, probabilitiesOf } from "./probabilities.ts";
import { randomStream } from "./random.ts";
import { type Draw, greedyDraw, type Sampler } from "./sampler.ts";
import type { Prediction } from "./step-model.ts";
import { StopStrings } from "./stop-strings.ts";

/** What a reply needs to know of the checkpoint's tokenizer. */
export interface ReplyVocabulary {
  bytes: TokenBytes;
  stopTokens: ReadonlySet<number>;
  roleTags: readonly string[];
}

export class Reply {
  readonly request: GenerationRequest;
  /** Null while more is to come. */
  finishReason: FinishReason | null = null;
  readonly #vocabulary: ReplyVocabulary;
  readonly #limit: number;
  readonly #random: () => number;
  readonly #decoder: IncrementalDecoder;
  readonly #stops: StopStrings;
  readonly #seen: Set<number>;
  readonly #tokens: number[] = [];
  readonly #logProbs: number[] = [];
  #text = "";

  /** @param limit most tokens that the reply may have, by its own wish and the room in the context */
  constructor(request: GenerationRequest, vocabulary: ReplyVocabulary, limit: number) {
    this.request = request;
    this.#vocabulary = vocabulary;
    this.#limit = limit;
    this.#random = randomStream(request.sampling.seed);
    this.#decoder = new IncrementalDecoder(vocabulary.bytes);
    this.#stops = new StopStrings([...request.stop, ...vocabulary.roleTags]);
    this.#seen = new Set(request.promptTokens);
  }

  /** The token to be fed next. */
  get lastToken(): number {
    return this.#tokens.at(-1) ?? (this.request.promptTokens.at(-1) as number);
  }

  /** Draws the next token and says what that adds to the reply. */
  advance(sampler: Sampler, prediction: Prediction): GenerationChunk {
    const { topLogProbs = 0 } = this.request;
    const { token, logProb, alternatives } = this.#draw(sampler, prediction, topLogProbs);
    this.#seen.add(token);
    this.#tokens.push(token);
    this.#logProbs.push(logProb);
    const text = this.#read(token);
    this.#text += text;
    const chunk = { tokens: [token], logProbs: [logProb], text };
    return topLogProbs > 0 ? { ...chunk, alternatives: [alternatives] } : chunk;
  }

  /**
   * Ends the reply where it is and returns the text that was still kept back. A character that never became whole is
   * no part of the reply.
   */
  end(reason: FinishReason): string {
    const rest = this.#close(reason);
    this.#text += rest;
    return rest;
  }

  result(): GenerationResult {
    return {
      tokens: this.#tokens,
      logProbs: this.#logProbs,
      text: this.#text,
      finishReason: this.finishReason ?? "error",
    };
  }

  #draw(sampler: Sampler, prediction: Prediction, topLogProbs: number): Draw {
    const { sampling } = this.request;
    if ("probabilities" in prediction) {
      return sampler.draw(prediction.probabilities, sampling, this.#random, topLogProbs);
    }
    const { logits } = prediction;
    if (sampling.repetitionPenalty !== 1) penalize(logits, this.#seen, sampling.repetitionPenalty);
    if (sampling.temperature === 0) return greedyDraw(logits, topLogProbs);
    return sampler.draw(probabilitiesOf(logits, sampling.temperature), sampling, this.#random, topLogProbs);
  }

  #read(token: number): string {
    if (this.#vocabulary.stopTokens.has(token)) return this.#close("stop");
    const { text, stopped } = this.#stops.push(this.#decoder.push(token));
    if (stopped) this.finishReason = "stop";
    else if (this.#tokens.length >= this.#limit) return text + this.#close("length");
    return text;
  }

  #close(reason: FinishReason): string {
    this.finishReason = reason;
    return this.#stops.flush();
  }
}
