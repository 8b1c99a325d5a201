/**
 * Brings messages to the server and follows the replies, whatever the connection does meanwhile.
 *
 * A message is repeated under the same `clientMessageId` until it is acknowledged, and a reply is asked for again from
 * its next missing token (`resume`) after a reconnect, on a gap, and when nothing has come for a while. Both are
 * recognised by the server, so whatever is lost on the way arrives once.
 */
import type { DoneEvent, FailedEvent, MessageAck, TokenEvent, WireError } from "../../server/protocol/index.ts";
import type { ChatTransport } from "./chat-transport.ts";
import type { Clock } from "./clock.ts";
import { applyDone, applyFailure, applyToken, isUnfinished, unfinishedExchange, withReply } from "./conversation.ts";
import type { ConversationBook, Place } from "./conversation-book.ts";
import { EarlyEvents } from "./early-events.ts";
import { hasGap } from "./reply-assembly.ts";

export interface ReplyFollowerOptions {
  transport: ChatTransport;
  book: ConversationBook;
  clock: Clock;
  /** How long a reply may be silent before it is asked for again. */
  stallMs: number;
  /** Told of every reply that ends, well or badly. */
  ended: (place: Place) => void;
}

export class ReplyFollower {
  readonly #transport: ChatTransport;
  readonly #book: ConversationBook;
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #ended: (place: Place) => void;
  /** Where the events of an unfinished reply go, by exchange id. */
  readonly #places = new Map<string, Place>();
  readonly #early = new EarlyEvents();
  /** Running stall timers by client message id: what is followed here. */
  readonly #timers = new Map<string, () => void>();
  readonly #deliveries = new Map<string, number>();
  /** Exchange ids of which a resume is unanswered, and the token index it asked for. */
  readonly #resuming = new Map<string, number>();

  constructor(options: ReplyFollowerOptions) {
    this.#transport = options.transport;
    this.#book = options.book;
    this.#clock = options.clock;
    this.#stallMs = options.stallMs;
    this.#ended = options.ended;
  }

  follows(clientMessageId: string): boolean {
    return this.#timers.has(clientMessageId);
  }

  /** Sends the message of a `sending` exchange, again if need be, and follows its reply. */
  deliver(place: Place): void {
    const exchange = this.#book.exchange(place);
    const conversation = this.#book.find(place.key);
    if (exchange?.reply.status !== "sending" || !conversation) return;
    this.#watch(place);
    this.#deliveries.set(place.clientMessageId, (this.#deliveries.get(place.clientMessageId) ?? 0) + 1);
    const request = {
      ...(conversation.id === null ? {} : { conversationId: conversation.id }),
      text: exchange.text,
      clientMessageId: exchange.clientMessageId,
      options: { consent: exchange.consent },
    };
    this.#transport.send(request).then(
      (answer) => this.#acknowledged(place, answer),
      () => undefined, // Repeated by the stall timer, or as soon as the connection is back.
    );
  }

  /** Asks the server to stop the reply at its next token; what has arrived stays. */
  stop(place: Place): void {
    this.#book.changeExchange(place, (exchange) => withReply(exchange, { stopRequested: true }));
    this.#requestStop(place);
  }

  fail(place: Place, error: WireError): void {
    this.#book.changeExchange(place, (exchange) => applyFailure(exchange, error));
    this.#settle(place);
    this.#ended(place);
  }

  /** Stops the reply and follows it no longer. */
  abandon(place: Place): void {
    this.#requestStop(place);
    this.#settle(place);
  }

  /** Goes on with everything unfinished on a fresh connection. */
  connected(): void {
    this.#resuming.clear();
    for (const conversation of this.#book.conversations) {
      const exchange = unfinishedExchange(conversation);
      if (exchange) this.#pursue({ key: conversation.key, clientMessageId: exchange.clientMessageId });
    }
  }

  token(event: TokenEvent): void {
    const place = this.#placeOf(event.exchangeId, () => this.token(event));
    const before = place && this.#book.exchange(place);
    if (!place || !before) return;
    const after = applyToken(before, event);
    if (after === before) return;
    this.#book.changeExchange(place, () => after);
    if (after.reply.nextIndex > before.reply.nextIndex) this.#watch(place);
    if (hasGap(after.reply)) this.#resume(place);
  }

  done(event: DoneEvent): void {
    const place = this.#placeOf(event.exchangeId, () => this.done(event));
    if (!place) return;
    this.#book.changeExchange(place, (exchange) => applyDone(exchange, event));
    this.#settle(place);
    this.#ended(place);
  }

  failed(event: FailedEvent): void {
    const place = this.#placeOf(event.exchangeId, () => this.failed(event));
    if (place) this.fail(place, event.error);
  }

  dispose(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #acknowledged(place: Place, answer: MessageAck): void {
    if (this.#book.exchange(place)?.reply.status !== "sending") return;
    if (!answer.ok) {
      this.fail(place, answer.error);
      return;
    }
    const { exchangeId, conversationId } = answer;
    this.#places.set(exchangeId, place);
    this.#book.changeExchange(place, (sent) => ({ ...withReply(sent, { status: "streaming" }), exchangeId }));
    this.#book.update(place.key, (conversation) => ({ ...conversation, id: conversationId }));
    this.#book.save();
    for (const replay of this.#early.take(exchangeId)) replay();

    const exchange = this.#book.exchange(place);
    if (!exchange || !isUnfinished(exchange)) return;
    if (exchange.reply.stopRequested) this.#requestStop(place);
    // A repeated message may have been taken in on a connection that is gone, and its first tokens with it.
    if ((this.#deliveries.get(place.clientMessageId) ?? 0) > 1) this.#resume(place);
  }

  /** Events can overtake the acknowledgement that names their exchange; they are kept until it comes. */
  #placeOf(exchangeId: string, replay: () => void): Place | undefined {
    const place = this.#places.get(exchangeId);
    if (!place && this.#anySending()) this.#early.keep(exchangeId, replay);
    return place;
  }

  #pursue(place: Place): void {
    const exchange = this.#book.exchange(place);
    if (!exchange || !isUnfinished(exchange)) return;
    if (exchange.exchangeId === null) {
      this.deliver(place);
      return;
    }
    if (exchange.reply.stopRequested) this.#requestStop(place);
    this.#resume(place);
  }

  #resume(place: Place): void {
    const exchange = this.#book.exchange(place);
    if (!exchange?.exchangeId || !isUnfinished(exchange)) return;
    const { exchangeId } = exchange;
    const { nextIndex } = exchange.reply;
    this.#places.set(exchangeId, place);
    this.#watch(place);
    if (this.#resuming.get(exchangeId) === nextIndex) return;
    this.#resuming.set(exchangeId, nextIndex);
    const answered = () => {
      if (this.#resuming.get(exchangeId) === nextIndex) this.#resuming.delete(exchangeId);
    };
    this.#transport.resume(exchangeId, nextIndex).then((answer) => {
      answered();
      if (!answer.ok) this.fail(place, answer.error);
    }, answered);
  }

  #requestStop(place: Place): void {
    const exchangeId = this.#book.exchange(place)?.exchangeId;
    // A stop that is lost is repeated when the reply is pursued.
    if (exchangeId) this.#transport.stop(exchangeId).catch(() => undefined);
  }

  #watch(place: Place): void {
    this.#timers.get(place.clientMessageId)?.();
    this.#timers.set(
      place.clientMessageId,
      this.#clock.after(this.#stallMs, () => this.#pursue(place)),
    );
  }

  #settle(place: Place): void {
    this.#timers.get(place.clientMessageId)?.();
    this.#timers.delete(place.clientMessageId);
    this.#deliveries.delete(place.clientMessageId);
    const exchangeId = this.#book.exchange(place)?.exchangeId;
    if (exchangeId) {
      this.#places.delete(exchangeId);
      this.#resuming.delete(exchangeId);
    }
    if (!this.#anySending()) this.#early.clear();
    this.#book.save();
  }

  #anySending(): boolean {
    return this.#book.conversations.some((each) => unfinishedExchange(each)?.reply.status === "sending");
  }
}
