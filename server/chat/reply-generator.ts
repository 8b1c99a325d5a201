/** Takes a prepared prompt through log, engine and reward model; the only way a reply comes about. */
import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as setTimeoutAsync } from "node:timers/promises";
import {
  defaultSampling,
  EngineBusyError,
  EngineRequestError,
  type GenerationChunk,
  type GenerationResult,
  type SamplingOptions,
} from "../../engine/types.ts";
import type { EngineChatModel } from "../pipeline/engine-chat-model.ts";
import { fromChatMessages } from "../pipeline/messages.ts";
import type { Prompt } from "../pipeline/prompt.ts";
import { type AdapterLease, type AdapterSource, UnknownAdapterError } from "../ports.ts";
import type { AdapterIdentity, FinishReason, WireError } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { ExchangeOutcome, ExchangeRepository } from "../store/exchanges.ts";
import type { FailedStep } from "../store/schema.ts";
import { LiveReply, type ReplyEnd } from "./live-reply.ts";
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

/** A reply that has ended and is logged, for those who follow how an adapter does. */
export interface EndedReply {
  exchangeId: string;
  conversationId: string;
  request: ReplyRequest;
  sampling: SamplingOptions;
  adapter: AdapterIdentity;
  /** Null for a reply that was cut. */
  outcome: ExchangeOutcome | null;
  /** Where a reply was cut. */
  failedStep: FailedStep | null;
}

export interface ReplyGeneratorOptions {
  exchanges: ExchangeRepository;
  adapters: AdapterSource;
  chatModel: EngineChatModel;
  scorer: Scorer;
  /** Replies under way and waiting together; one more is refused as busy. */
  capacity: number;
  /** How long an unfinished reply goes on without a listener, and a finished one can be replayed. */
  graceMs: number;
  report: (report: ReplyReport) => void;
  /** Called once the person has the whole reply. */
  ended?: (reply: EndedReply) => void;
  now?: () => Date;
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

interface Run extends Pick<EndedReply, "outcome" | "failedStep"> {
  end: ReplyEnd;
}

export function createReplyGenerator(options: ReplyGeneratorOptions) {
  const { exchanges, adapters, chatModel, scorer, capacity, graceMs, report } = options;
  const { ended = () => undefined, now = () => new Date() } = options;
  const live = new Map<string, { reply: LiveReply; abort: AbortController }>();
  let underWay = 0;
  let closing = false;

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

  async function run(
    reply: LiveReply,
    request: ReplyRequest,
    sampling: SamplingOptions,
    lease: AdapterLease,
    signal: AbortSignal,
  ): Promise<Run> {
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
  }

  async function lease(modelName: string, conversationId: string): Promise<AdapterLease> {
    try {
      return await adapters.lease(modelName, conversationId);
    } catch (cause) {
      if (!(cause instanceof UnknownAdapterError)) throw cause;
      throw new RequestError(404, "unknown_adapter", cause.message, { cause });
    }
  }

  function keepForReplay(exchangeId: string): void {
    setTimeout(() => live.delete(exchangeId), graceMs).unref();
  }

  /** Logs the exchange, on disk when this resolves, and starts the reply. The place was taken by `start`. */
  async function begin(request: ReplyRequest, conversationId: string, leased: AdapterLease): Promise<LiveReply> {
    const exchangeId = randomUUID();
    const sampling = { ...defaultSampling, seed: randomInt(2 ** 32), ...request.sampling };
    const { messages, promptTokens } = request.prompt;
    await exchanges.accept({
      id: exchangeId,
      conversationId,
      owner: request.owner,
      clientMessageId: request.clientMessageId ?? exchangeId,
      source: request.source,
      createdAt: now(),
      messages,
      promptTokens,
      sampling,
      maxTokens: request.maxTokens,
      adapter: leased.identity,
      consent: request.consent,
    });
    const abort = new AbortController();
    const reply = new LiveReply({
      exchangeId,
      conversationId,
      owner: request.owner,
      adapter: leased.identity,
      promptTokens: promptTokens.length,
      abandoned: () => abort.abort(),
      graceMs,
    });
    live.set(exchangeId, { reply, abort });
    void run(reply, request, sampling, leased, abort.signal).then(({ end, outcome, failedStep }) => {
      underWay -= 1;
      leased.release();
      keepForReplay(exchangeId);
      reply.finish(end);
      ended({ exchangeId, conversationId, request, sampling, adapter: leased.identity, outcome, failedStep });
    });
    return reply;
  }

  return {
    /** @throws RequestError `busy`, `shutting_down` or `unknown_adapter`; nothing is logged then. */
    async start(request: ReplyRequest): Promise<LiveReply> {
      if (closing) throw new RequestError(503, "shutting_down", "The server is shutting down; try again in a moment.");
      if (underWay >= capacity) {
        throw new RequestError(503, "busy", `All ${capacity} places for replies are taken; try again in a moment.`);
      }
      underWay += 1;
      // Known before the adapter is chosen: a canary has its share of conversations.
      const conversationId = request.conversationId ?? randomUUID();
      let leased: AdapterLease | null = null;
      try {
        leased = await lease(request.modelName, conversationId);
        return await begin(request, conversationId, leased);
      } catch (error) {
        underWay -= 1;
        leased?.release();
        throw error;
      }
    },

    /** A reply under way, or one that ended less than the grace period ago. */
    find: (exchangeId: string): LiveReply | null => live.get(exchangeId)?.reply ?? null,

    /** Ends a reply at its next token; what was said is logged. */
    stop: (exchangeId: string): void => live.get(exchangeId)?.abort.abort(),

    /** Ends what is being said to this owner, waits for its log, and forgets what could be replayed. */
    async forget(owner: string): Promise<void> {
      for (const [exchangeId, { reply, abort }] of live) {
        if (reply.owner !== owner) continue;
        abort.abort();
        await reply.ended;
        live.delete(exchangeId);
      }
    },

    underWay: () => underWay,

    /** Refuses new replies, gives those under way `patienceMs` to end, then cancels them and waits for their log. */
    async close(patienceMs: number): Promise<void> {
      closing = true;
      const deadline = performance.now() + patienceMs;
      // Looked at again and again, since some may have been accepted but not begun when this was called.
      while (underWay > 0) {
        if (performance.now() >= deadline) for (const { abort } of live.values()) abort.abort();
        await setTimeoutAsync(10);
      }
    },
  };
}

export type ReplyGenerator = ReturnType<typeof createReplyGenerator>;
