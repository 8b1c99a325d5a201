/** Who may have a reply begun, and where replies under way are found; what happens to each is write-reply.ts's. */
import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as setTimeoutAsync } from "node:timers/promises";
import { defaultSampling, type SamplingOptions } from "../../engine/types.ts";
import { type AdapterLease, type AdapterSource, UnknownAdapterError } from "../ports.ts";
import type { AdapterIdentity } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import { LiveReply } from "./live-reply.ts";
import { createReplyWriter, type ReplyRequest, type ReplyWriterOptions, type WrittenReply } from "./write-reply.ts";

/** A reply that has ended and is logged, for those who follow how an adapter does. */
export interface EndedReply extends Pick<WrittenReply, "outcome" | "failedStep"> {
  exchangeId: string;
  conversationId: string;
  request: ReplyRequest;
  sampling: SamplingOptions;
  adapter: AdapterIdentity;
}

export interface ReplyGeneratorOptions extends ReplyWriterOptions {
  adapters: AdapterSource;
  /** Replies under way and waiting together; one more is refused as busy. */
  capacity: number;
  /** How long an unfinished reply goes on without a listener, and a finished one can be replayed. */
  graceMs: number;
  /** Called once the person has the whole reply. */
  ended?: (reply: EndedReply) => void;
}

export function createReplyGenerator(options: ReplyGeneratorOptions) {
  const { exchanges, adapters, capacity, graceMs, ended = () => undefined, now = () => new Date() } = options;
  const write = createReplyWriter(options);
  const live = new Map<string, { reply: LiveReply; abort: AbortController }>();
  let underWay = 0;
  let closing = false;

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
    void write(reply, request, sampling, leased, abort.signal).then(({ end, outcome, failedStep }) => {
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
