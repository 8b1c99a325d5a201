/** The engine as a LangChain chat model, so that anything that speaks LangChain can use it. */
import { randomInt } from "node:crypto";
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BaseChatModelParams,
} from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import {
  defaultSampling,
  type Engine,
  type GenerationChunk,
  type GenerationRequest,
  type GenerationResult,
  type SamplingOptions,
} from "../../engine/types.ts";
import { toChatMessages } from "./messages.ts";

export interface EngineCallOptions extends BaseChatModelCallOptions {
  /** The messages as tokens, where the caller has rendered them already. */
  promptTokens?: readonly number[];
  /** sha256 of a resident adapter; null (the default) generates with the base weights. */
  adapter?: string | null;
  sampling?: Partial<SamplingOptions>;
  maxTokens?: number;
  topLogProbs?: number;
}

export interface EngineChatModelFields extends BaseChatModelParams {
  engine: Pick<Engine, "renderChat" | "generate">;
  /** Where a call says nothing else. Default 128. */
  maxTokens?: number;
}

/** A chunk together with what the engine knows about it; the last one of a reply carries the whole result instead. */
export class EngineGenerationChunk extends ChatGenerationChunk {
  readonly step: GenerationChunk | null;
  readonly result: GenerationResult | null;

  constructor(text: string, detail: { step: GenerationChunk } | { result: GenerationResult }) {
    const message =
      "result" in detail
        ? new AIMessageChunk({ content: text, response_metadata: { finish_reason: detail.result.finishReason } })
        : new AIMessageChunk({ content: text });
    super({ text, message });
    this.step = "step" in detail ? detail.step : null;
    this.result = "result" in detail ? detail.result : null;
  }
}

export class EngineChatModel extends BaseChatModel<EngineCallOptions> {
  readonly #engine: EngineChatModelFields["engine"];
  readonly #maxTokens: number;

  constructor(fields: EngineChatModelFields) {
    super(fields);
    this.#engine = fields.engine;
    this.#maxTokens = fields.maxTokens ?? 128;
  }

  override _llmType(): string {
    return "rejoinder";
  }

  #request(messages: BaseMessage[], options: this["ParsedCallOptions"]): GenerationRequest {
    return {
      promptTokens: options.promptTokens ?? this.#engine.renderChat(toChatMessages(messages)),
      adapter: options.adapter ?? null,
      sampling: { ...defaultSampling, seed: randomInt(2 ** 32), ...options.sampling },
      maxTokens: options.maxTokens ?? this.#maxTokens,
      stop: options.stop ?? [],
      ...(options.topLogProbs === undefined ? {} : { topLogProbs: options.topLogProbs }),
    };
  }

  /** One chunk a step of the engine, then one with the result. @throws EngineBusyError, EngineRequestError */
  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<EngineGenerationChunk> {
    const { signal } = options;
    const steps = this.#engine.generate(this.#request(messages, options), signal === undefined ? {} : { signal });
    try {
      for (;;) {
        const next = await steps.next();
        if (next.done) {
          yield new EngineGenerationChunk("", { result: next.value });
          return;
        }
        const chunk = new EngineGenerationChunk(next.value.text, { step: next.value });
        yield chunk;
        if (next.value.text !== "")
          await runManager?.handleLLMNewToken(next.value.text, undefined, undefined, undefined, undefined, { chunk });
      }
    } finally {
      // A consumer that stops listening ends the generation with it.
      await steps.return({ tokens: [], logProbs: [], text: "", finishReason: "cancelled" });
    }
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    let result: GenerationResult | null = null;
    for await (const chunk of this._streamResponseChunks(messages, options, runManager))
      result = chunk.result ?? result;
    if (result === null) throw new Error("The engine ended a reply without its result");
    const message = new AIMessage({
      content: result.text,
      response_metadata: { finish_reason: result.finishReason },
    });
    return { generations: [{ text: result.text, message }], llmOutput: { finishReason: result.finishReason } };
  }
}
