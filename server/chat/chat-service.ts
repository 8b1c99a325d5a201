/** The chat, whatever carries it: messages in, replies to listeners, nothing acknowledged that is not on disk. */
import type { PromptBuilder } from "../pipeline/prompt.ts";
import type { DoneEvent, FeedbackRequest, MessageRequest } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { StoredExchange } from "../store/exchange-mapping.ts";
import type { ExchangeRepository } from "../store/exchanges.ts";
import type { ReplyListener } from "./live-reply.ts";
import type { ReplyGenerator } from "./reply-generator.ts";

export interface ChatServiceOptions {
  exchanges: ExchangeRepository;
  replies: ReplyGenerator;
  prompts: PromptBuilder;
  consentDefault: boolean;
}

export interface Accepted {
  exchangeId: string;
  conversationId: string;
}

function endOf(exchange: StoredExchange): DoneEvent | null {
  const { id, reply, finishReason, adapter, toxicity } = exchange;
  if (exchange.status !== "complete" || finishReason === null || toxicity === null) return null;
  return { exchangeId: id, text: reply, finishReason, tokens: exchange.replyTokens.length, adapter, toxicity };
}

/** A listed turn takes at least this many tokens (two role tags, two turn ends, something said). */
const fewestTokensPerTurn = 6;

export function createChatService({ exchanges, replies, prompts, consentDefault }: ChatServiceOptions) {
  /** Messages being accepted, so that the same one sent twice in a row waits for the first. */
  const accepting = new Map<string, Promise<Accepted>>();

  async function accept(owner: string, request: MessageRequest): Promise<Accepted> {
    const { text, conversationId, clientMessageId, options = {} } = request;
    const earlier = await exchanges.findByClientMessageId(owner, clientMessageId);
    if (earlier !== null) return { exchangeId: earlier.id, conversationId: earlier.conversationId };
    if (conversationId !== undefined && (await exchanges.conversationOwner(conversationId)) !== owner) {
      throw new RequestError(404, "unknown_conversation", "There is no such conversation.");
    }
    const maxTokens = options.maxTokens ?? prompts.defaultMaxTokens;
    if (maxTokens >= prompts.contextLength) {
      throw new RequestError(
        400,
        "invalid_option",
        `maxTokens: expected less than the model's context of ${prompts.contextLength} tokens, got ${maxTokens}`,
      );
    }
    const turns = Math.ceil(prompts.contextLength / fewestTokensPerTurn);
    const history = conversationId === undefined ? [] : await exchanges.history(conversationId, turns);
    const prompt = await prompts.compose(history, text, maxTokens);
    const { temperature, topP, topK, seed } = options;
    const reply = await replies.start({
      prompt,
      owner,
      source: "socket",
      clientMessageId,
      ...(conversationId === undefined ? {} : { conversationId }),
      modelName: options.adapter ?? "rejoinder",
      sampling: {
        ...(temperature === undefined ? {} : { temperature }),
        ...(topP === undefined ? {} : { topP }),
        ...(topK === undefined ? {} : { topK }),
        ...(seed === undefined ? {} : { seed }),
      },
      maxTokens,
      consent: options.consent ?? consentDefault,
    });
    return { exchangeId: reply.exchangeId, conversationId: reply.conversationId };
  }

  /** @throws RequestError `unknown_exchange`, also for another owner's */
  async function owned(owner: string, exchangeId: string): Promise<StoredExchange> {
    const exchange = await exchanges.get(exchangeId);
    if (exchange === null || exchange.owner !== owner) {
      throw new RequestError(404, "unknown_exchange", "There is no such exchange.");
    }
    return exchange;
  }

  return {
    /**
     * Logs the message and starts its reply; the same client message again gives the same exchange.
     * @throws RequestError when it cannot be accepted; nothing is logged then
     */
    async send(owner: string, request: MessageRequest): Promise<Accepted> {
      const key = JSON.stringify([owner, request.clientMessageId]);
      const pending = accepting.get(key);
      if (pending !== undefined) return pending;
      const accepted = accept(owner, request).finally(() => accepting.delete(key));
      accepting.set(key, accepted);
      return accepted;
    },

    /**
     * Tells the listener everything from piece `fromIndex` on, then the end. A reply that ended long ago is known by
     * its whole text only, so its listener gets the end alone.
     * @throws RequestError `unknown_exchange`
     */
    async listen(owner: string, exchangeId: string, listener: ReplyListener, fromIndex: number): Promise<void> {
      const live = replies.find(exchangeId);
      if (live !== null && live.owner === owner) {
        live.listen(listener, fromIndex);
        return;
      }
      const end = endOf(await owned(owner, exchangeId));
      if (end !== null) listener.done(end);
      else listener.failed({ exchangeId, error: { code: "cut", message: "The server stopped during this reply." } });
    },

    leave(exchangeId: string, listener: ReplyListener): void {
      replies.find(exchangeId)?.leave(listener);
    },

    /** Ends a reply at its next token; of one that has ended already this does nothing. */
    async stop(owner: string, exchangeId: string): Promise<void> {
      if (replies.find(exchangeId)?.owner !== owner) await owned(owner, exchangeId);
      replies.stop(exchangeId);
    },

    async feedback(owner: string, { exchangeId, value, reason }: FeedbackRequest): Promise<void> {
      if (!(await exchanges.setFeedback(exchangeId, owner, value, reason ?? null))) await owned(owner, exchangeId);
    },
  };
}

export type ChatService = ReturnType<typeof createChatService>;
