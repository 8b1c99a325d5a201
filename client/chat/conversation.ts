/** What the browser remembers of a conversation, and the pure steps from one state of it to the next. */
import type {
  AdapterIdentity,
  DoneEvent,
  FeedbackRequest,
  FinishReason,
  ReplyToxicity,
  TokenEvent,
  WireError,
} from "../../server/protocol/index.ts";
import { type Assembly, addToken, emptyAssembly } from "./reply-assembly.ts";

/** `sending` until the server acknowledges, `streaming` until it says done or failed. */
export type ReplyStatus = "sending" | "streaming" | "done" | "failed";
export type Rating = FeedbackRequest["value"];

export interface Reply extends Assembly {
  status: ReplyStatus;
  stopRequested: boolean;
  finishReason: FinishReason | null;
  adapter: AdapterIdentity | null;
  toxicity: ReplyToxicity | null;
  error: WireError | null;
  rating: Rating;
}

/** One message and the reply to it. */
export interface Exchange {
  /** Chosen here; the server answers the same id with the same exchange. */
  clientMessageId: string;
  /** The server's id, once acknowledged. */
  exchangeId: string | null;
  createdAt: string;
  consent: boolean;
  text: string;
  reply: Reply;
}

export interface Conversation {
  /** Local name, stable from the first message on. */
  key: string;
  /** The server's id; null until the first message is acknowledged. */
  id: string | null;
  title: string;
  updatedAt: string;
  /** May the messages from now on be used for training? */
  consent: boolean;
  exchanges: readonly Exchange[];
}

const titleLength = 60;

export function startExchange(clientMessageId: string, text: string, consent: boolean, createdAt: string): Exchange {
  const reply: Reply = {
    ...emptyAssembly,
    status: "sending",
    stopRequested: false,
    finishReason: null,
    adapter: null,
    toxicity: null,
    error: null,
    rating: 0,
  };
  return { clientMessageId, exchangeId: null, createdAt, consent, text, reply };
}

export function titleOf(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length <= titleLength ? line : `${line.slice(0, titleLength - 1).trimEnd()}…`;
}

export function isUnfinished(exchange: Exchange): boolean {
  return exchange.reply.status === "sending" || exchange.reply.status === "streaming";
}

/** The exchange whose reply is under way; there is at most one, and it is the last. */
export function unfinishedExchange(conversation: Conversation | undefined): Exchange | undefined {
  const last = conversation?.exchanges.at(-1);
  return last && isUnfinished(last) ? last : undefined;
}

export function withExchange(
  conversation: Conversation,
  clientMessageId: string,
  change: (exchange: Exchange) => Exchange,
): Conversation {
  const exchanges = conversation.exchanges.map((exchange) =>
    exchange.clientMessageId === clientMessageId ? change(exchange) : exchange,
  );
  return { ...conversation, exchanges };
}

export function withReply(exchange: Exchange, change: Partial<Reply>): Exchange {
  return { ...exchange, reply: { ...exchange.reply, ...change } };
}

export function applyToken(exchange: Exchange, event: TokenEvent): Exchange {
  if (!isUnfinished(exchange)) return exchange;
  const added = addToken(exchange.reply, event.index, event.text);
  return added === exchange.reply ? exchange : withReply(exchange, added);
}

/** The server's full text is the last word, also when tokens are still missing here. */
export function applyDone(exchange: Exchange, event: DoneEvent): Exchange {
  if (!isUnfinished(exchange)) return exchange;
  return withReply(exchange, {
    status: "done",
    text: event.text,
    held: {},
    finishReason: event.finishReason,
    adapter: event.adapter,
    toxicity: event.toxicity,
  });
}

/** A failed reply keeps what was received. */
export function applyFailure(exchange: Exchange, error: WireError): Exchange {
  if (!isUnfinished(exchange)) return exchange;
  return withReply(exchange, { status: "failed", held: {}, error });
}
