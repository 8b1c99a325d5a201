/** One reply through engine, reward model and log; the only way a reply comes about. */
import {
  EngineBusyError,
  EngineRequestError,
  type GenerationChunk,
  type GenerationResult,
  type SamplingOptions,
} from "../../engine/types.ts";
import type { EngineChatModel } from "../pipeline/engine-chat-model.ts";
import { fromChatMessages } from "../pipeline/messages.ts";
import type { Prompt } from "../pipeline/prompt.ts";
import type { AdapterLease } from "../ports.ts";
import type { FinishReason, WireError } from "../protocol/index.ts";
import type { ExchangeOutcome, ExchangeRepository } from "../store/exchanges.ts";
import type { FailedStep } from "../store/schema.ts";
import type { LiveReply, ReplyEnd } from "./live-reply.ts";
import type { Scorer } from "./scorer.ts";

export interface ReplyRequest {
  prompt: Prompt;
  owner: string;
  source: "socket" | "openai";
  /** Absent for callers that never send twice. */
  clientMessageId?: string;
  /** Absent opens a new conversation. */
  conversationId?: string;
  /** `rejoinder`, `rejoinder@N` or `base`. */
  modelName: string;
  sampling: Partial<SamplingOptions>;
  maxTokens: number;
  stop?: readonly string[];
  topLogProbs?: number;
  consent: boolean;
}

/** Told of each ended reply; for metrics and logs, which never see its text. */
export interface ReplyReport {
  exchangeId: string;
  source: ReplyRequest["source"];
  finishReason: FinishReason;
  promptTokens: number;
  tokens: number;
  /** Milliseconds from acceptance to the first text (null when there was none) and to the end of the generation. */
  firstTextMs: number | null;
  totalMs: number;
  toxicity: { prompt: number; reply: number } | null;
  /** Why the reply was cut; null for one that ended in order. */
  error: unknown;
  /** Why a reply that ended in order has no scores; null when it has. */
  scoringError: unknown;
}

export interface ReplyWriterOptions {
  exchanges: ExchangeRepository;
  chatModel: EngineChatModel;
  scorer: Scorer;
  report: (report: ReplyReport) => void;
  now?: () => Date;
}

/** How a reply ended, once it is logged. */
export interface WrittenReply {
  end: ReplyEnd;
  /** Null for a reply that was cut. */
  outcome: ExchangeOutcome | null;
  /** Where a reply was cut. */
  failedStep: FailedStep | null;
}

const cancelled: GenerationResult = { tokens: [], logProbs: [], text: "", finishReason: "cancelled" };

/** Pieces carry text; tokens that complete no text yet wait for the next that does. */
function createPieces(reply: LiveReply) {
  let tokens: number[] = [];
  let logProbs: number[] = [];
  let alternatives: GenerationChunk["alternatives"] = [];
  return (step: GenerationChunk): void => {
    tokens.push(...step.tokens);
    logProbs.push(...step.logProbs);
    alternatives = [...(alternatives ?? []), ...(step.alternatives ?? [])];
    if (step.text === "") return;
    reply.add({ text: step.text, tokens, logProbs, alternatives });
    tokens = [];
    logProbs = [];
    alternatives = [];
  };
}

/** What a listener is told when a reply could not be ended in order. */
function toWireError(error: unknown): WireError {
  if (error instanceof EngineBusyError) return { code: "busy", message: "Too many replies are under way; try again." };
  if (error instanceof EngineRequestError) return { code: error.code, message: error.message };
  return { code: "internal", message: "The reply could not be finished. What was said so far is kept." };
}

/** Null where the request was at fault, or the engine was full: that says nothing about the adapter. */
function failedStepOf(error: unknown, step: FailedStep): FailedStep | null {
  return error instanceof EngineBusyError || error instanceof EngineRequestError ? null : step;
}

/** @returns what writes a reply whose exchange has been logged; it never rejects */
export function createReplyWriter(options: ReplyWriterOptions) {
  const { exchanges, chatModel, scorer, report, now = () => new Date() } = options;

  async function generate(
    reply: LiveReply,
    request: ReplyRequest,
    sampling: SamplingOptions,
    lease: AdapterLease,
    signal: AbortSignal,
    onText: () => void,
  ): Promise<GenerationResult> {
    const add = createPieces(reply);
    // The model's own stream, without the callbacks and merging that LangChain's `stream()` does for each chunk.
    const chunks = chatModel._streamResponseChunks(fromChatMessages(request.prompt.messages), {
      promptTokens: request.prompt.promptTokens,
      adapter: lease.sha256,
      sampling,
      maxTokens: request.maxTokens,
      stop: [...(request.stop ?? [])],
      signal,
      ...(request.topLogProbs === undefined ? {} : { topLogProbs: request.topLogProbs }),
    });
    let result: GenerationResult | null = null;
    for await (const { step, result: ended } of chunks) {
      if (ended !== null) result = ended;
      if (step === null) continue;
      if (step.text !== "") onText();
      add(step);
    }
    if (result === null) throw new Error("The engine ended a reply without its result");
    return result;
  }

  return async function write(
    reply: LiveReply,
    request: ReplyRequest,
    sampling: SamplingOptions,
    lease: AdapterLease,
    signal: AbortSignal,
  ): Promise<WrittenReply> {
    const { exchangeId } = reply;
    const startedAt = performance.now();
    let firstTextMs: number | null = null;
    let totalMs = 0;
    let result = cancelled;
    let end: ReplyEnd;
    let failure: unknown = null;
    let outcome: ExchangeOutcome | null = null;
    let step: FailedStep = "generation";
    let scoringError: unknown = null;
    try {
      result = await generate(reply, request, sampling, lease, signal, () => {
        firstTextMs ??= performance.now() - startedAt;
      });
      totalMs = performance.now() - startedAt;
      const { text, tokens, logProbs, finishReason } = result;
      if (finishReason === "error") throw new Error("The engine ended the reply with an error");
      const { messages } = request.prompt;
      // A reward that fails takes no reply from anyone: it is logged without scores, and can be scored later.
      const judged = await scorer.judge({ messages, reply: text, finishReason }).catch((error: unknown) => {
        scoringError = error;
        return null;
      });
      const toxicity = judged?.toxicity ?? null;
      step = "log";
      outcome = {
        completedAt: now(),
        reply: text,
        replyTokens: tokens,
        logProbs,
        finishReason,
        toxicity,
        reward: judged?.reward ?? null,
      };
      await exchanges.complete(exchangeId, outcome);
      const event = { exchangeId, text, finishReason, tokens: tokens.length, adapter: reply.adapter, toxicity };
      end = { type: "done", event };
    } catch (error) {
      failure = error;
      outcome = null;
      await exchanges.cut(exchangeId, reply.text, now(), failedStepOf(error, step)).catch((cause: unknown) => {
        failure = new AggregateError([error, cause], `Exchange ${exchangeId} could not be marked as cut`);
      });
      end = { type: "failed", event: { exchangeId, error: toWireError(error) } };
    }
    report({
      exchangeId,
      source: request.source,
      finishReason: end.type === "done" ? end.event.finishReason : "error",
      promptTokens: reply.promptTokens,
      tokens: result.tokens.length,
      firstTextMs,
      totalMs,
      toxicity: end.type === "done" ? end.event.toxicity : null,
      error: failure,
      scoringError,
    });
    return { end, outcome, failedStep: failure === null ? null : failedStepOf(failure, step) };
  };
}
