/** The chat without a page: conversations, what a person can do with them, and the state a page shows. */
import type { Ack, AdapterIdentity } from "../../server/protocol/index.ts";
import type { ChatTransport, ConnectionState } from "./chat-transport.ts";
import type { Clock } from "./clock.ts";
import {
  type Conversation,
  type Rating,
  startExchange,
  titleOf,
  unfinishedExchange,
  withReply,
} from "./conversation.ts";
import { ConversationBook, type Place } from "./conversation-book.ts";
import type { ConversationStore } from "./conversation-store.ts";
import { ReplyFollower } from "./reply-follower.ts";

export interface ChatState {
  /** Newest first. */
  conversations: readonly Conversation[];
  connection: ConnectionState;
  /** The adapter that went live last, as far as this page was told. */
  liveAdapter: AdapterIdentity | null;
  /** The browser refuses to save; conversations are lost when the page closes. */
  storageFull: boolean;
  /** The exchange whose reply ended last, well or badly, since the page was opened. */
  lastEnded: Place | null;
}

export interface ChatSessionOptions {
  transport: ChatTransport;
  store: ConversationStore;
  clock: Clock;
  /** A fresh unique id. */
  newId: () => string;
  /** How long a reply may be silent before it is asked for again; default 8,000 ms. */
  stallMs?: number;
  /** When to tell subscribers, default at once; a page passes requestAnimationFrame to repaint once a frame. */
  schedule?: (notify: () => void) => void;
}

export class ChatSession {
  readonly #transport: ChatTransport;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #schedule: (notify: () => void) => void;
  readonly #book: ConversationBook;
  readonly #follower: ReplyFollower;
  readonly #listeners = new Set<() => void>();
  readonly #leaveOtherTabs: () => void;
  #state: ChatState;
  #notifying = false;

  constructor(options: ChatSessionOptions) {
    const { transport, store, clock } = options;
    this.#transport = transport;
    this.#clock = clock;
    this.#newId = options.newId;
    this.#schedule = options.schedule ?? ((notify) => notify());
    this.#book = new ConversationBook(store, clock, () => this.#bookChanged());
    this.#follower = new ReplyFollower({
      transport,
      book: this.#book,
      clock,
      stallMs: options.stallMs ?? 8_000,
      ended: (lastEnded) => this.#set({ lastEnded }),
    });
    this.#state = {
      conversations: this.#book.conversations,
      connection: "connecting",
      liveAdapter: null,
      storageFull: false,
      lastEnded: null,
    };
    this.#leaveOtherTabs = store.onOtherTab((key, saved) => this.#otherTabSaved(key, saved));
    transport.open({
      connection: (connection) => this.#connectionChanged(connection),
      token: (event) => this.#follower.token(event),
      done: (event) => this.#follower.done(event),
      failed: (event) => this.#follower.failed(event),
      adapter: (liveAdapter) => this.#set({ liveAdapter }),
    });
  }

  get state(): ChatState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Sends `text`, in a new conversation when `key` is null. Returns the conversation's key.
   * @throws when the previous reply of the conversation is still under way
   */
  send(key: string | null, text: string, consent: boolean): string {
    const conversation = key === null ? undefined : this.#book.find(key);
    if (unfinishedExchange(conversation)) throw new Error("A reply is still under way in this conversation.");
    const now = this.#clock.now().toISOString();
    const exchange = startExchange(this.#newId(), text, consent, now);
    const place = { key: conversation?.key ?? this.#newId(), clientMessageId: exchange.clientMessageId };
    this.#book.put({
      key: place.key,
      id: conversation?.id ?? null,
      title: conversation?.title ?? titleOf(text),
      updatedAt: now,
      consent,
      exchanges: [...(conversation?.exchanges ?? []), exchange],
    });
    this.#book.save();
    this.#follower.deliver(place);
    return place.key;
  }

  /** Stops the reply under way; a message that never left the browser fails instead. */
  stop(key: string): void {
    const exchange = unfinishedExchange(this.#book.find(key));
    if (!exchange) return;
    const place = { key, clientMessageId: exchange.clientMessageId };
    if (exchange.exchangeId === null && this.#state.connection !== "online") {
      this.#follower.fail(place, { code: "not_sent", message: "There was no connection to the server." });
    } else {
      this.#follower.stop(place);
    }
  }

  /** Sends a failed message again, as a new exchange in the old one's place. */
  retry(key: string, clientMessageId: string): void {
    const failed = this.#book.exchange({ key, clientMessageId });
    if (failed?.reply.status !== "failed") return;
    const fresh = startExchange(this.#newId(), failed.text, failed.consent, this.#clock.now().toISOString());
    this.#book.changeExchange({ key, clientMessageId }, () => fresh);
    this.#follower.deliver({ key, clientMessageId: fresh.clientMessageId });
  }

  /** Takes a failed message out of its conversation (an emptied conversation goes too) and returns its text. */
  withdraw(key: string, clientMessageId: string): string {
    const failed = this.#book.exchange({ key, clientMessageId });
    if (failed?.reply.status !== "failed") return "";
    this.#book.update(key, (conversation) => ({
      ...conversation,
      exchanges: conversation.exchanges.filter((exchange) => exchange.clientMessageId !== clientMessageId),
    }));
    if (this.#book.find(key)?.exchanges.length === 0) this.#book.remove(key);
    return failed.text;
  }

  /** Rates a reply (0 takes the rating back); shown at once, and undone when the server refuses. */
  async rate(key: string, clientMessageId: string, rating: Rating): Promise<Ack> {
    const place = { key, clientMessageId };
    const exchange = this.#book.exchange(place);
    if (!exchange?.exchangeId) throw new Error("Only a reply that the server knows can be rated.");
    const before = exchange.reply.rating;
    this.#book.changeExchange(place, (current) => withReply(current, { rating }));
    const request = { exchangeId: exchange.exchangeId, value: rating };
    const answer = await this.#transport.feedback(request).catch((cause: unknown): Ack => {
      const message = cause instanceof Error ? cause.message : String(cause);
      return { ok: false, error: { code: "not_sent", message } };
    });
    if (!answer.ok && this.#book.exchange(place)?.reply.rating === rating) {
      this.#book.changeExchange(place, (current) => withReply(current, { rating: before }));
    }
    return answer;
  }

  rename(key: string, title: string): void {
    const trimmed = title.trim();
    if (trimmed) this.#book.update(key, (conversation) => ({ ...conversation, title: titleOf(trimmed) }));
  }

  setConsent(key: string, consent: boolean): void {
    this.#book.update(key, (conversation) => ({ ...conversation, consent }));
  }

  /** Removes the conversation from this browser, stopping its reply. */
  delete(key: string): void {
    const exchange = unfinishedExchange(this.#book.find(key));
    if (exchange) this.#follower.abandon({ key, clientMessageId: exchange.clientMessageId });
    this.#book.remove(key);
  }

  /** Writes what is not saved yet, for a page that is about to close. */
  save(): void {
    this.#book.save();
  }

  dispose(): void {
    this.#follower.dispose();
    this.#leaveOtherTabs();
    this.#transport.dispose();
    this.#book.save();
  }

  #connectionChanged(connection: ConnectionState): void {
    this.#set({ connection });
    if (connection === "online") this.#follower.connected();
  }

  #otherTabSaved(key: string, saved: Conversation | null): void {
    if (saved === null) {
      this.#book.forget(key);
      return;
    }
    const own = unfinishedExchange(this.#book.find(key));
    const theirs = unfinishedExchange(saved);
    const followedHere = own !== undefined && this.#follower.follows(own.clientMessageId);
    // What this tab receives itself is fresher than the other's snapshots of the same reply.
    if (followedHere && own.clientMessageId === theirs?.clientMessageId) return;
    this.#book.adopt(saved);
  }

  #bookChanged(): void {
    this.#set({ conversations: this.#book.conversations, storageFull: this.#book.storageFull });
  }

  #set(change: Partial<ChatState>): void {
    this.#state = { ...this.#state, ...change };
    if (this.#notifying) return;
    this.#notifying = true;
    this.#schedule(() => {
      this.#notifying = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
