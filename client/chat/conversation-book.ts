/** Holds the conversations of this browser and keeps them saved: at once on request, else a moment after a change. */
import type { Clock } from "./clock.ts";
import { type Conversation, type Exchange, withExchange } from "./conversation.ts";
import type { ConversationStore } from "./conversation-store.ts";

const saveDelayMs = 400;

/** Which exchange of which conversation. */
export interface Place {
  key: string;
  clientMessageId: string;
}

export class ConversationBook {
  readonly #store: ConversationStore;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #unsaved = new Set<string>();
  #conversations: readonly Conversation[];
  #cancelSave: (() => void) | undefined;
  #storageFull = false;

  constructor(store: ConversationStore, clock: Clock, changed: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#changed = changed;
    this.#conversations = newestFirst(store.load());
  }

  /** Newest first. */
  get conversations(): readonly Conversation[] {
    return this.#conversations;
  }

  get storageFull(): boolean {
    return this.#storageFull;
  }

  find(key: string): Conversation | undefined {
    return this.#conversations.find((conversation) => conversation.key === key);
  }

  /** Adds the conversation or replaces the one with its key. */
  put(conversation: Conversation): void {
    this.#replace(conversation);
    this.#unsaved.add(conversation.key);
    this.#cancelSave ??= this.#clock.after(saveDelayMs, () => this.save());
  }

  update(key: string, change: (conversation: Conversation) => Conversation): void {
    const conversation = this.find(key);
    if (conversation) this.put(change(conversation));
  }

  exchange(place: Place): Exchange | undefined {
    const exchanges = this.find(place.key)?.exchanges;
    return exchanges?.findLast((exchange) => exchange.clientMessageId === place.clientMessageId);
  }

  changeExchange(place: Place, change: (exchange: Exchange) => Exchange): void {
    this.update(place.key, (conversation) => withExchange(conversation, place.clientMessageId, change));
  }

  remove(key: string): void {
    this.forget(key);
    this.#store.remove(key);
  }

  /** Takes over what another tab has already saved. */
  adopt(conversation: Conversation): void {
    this.#replace(conversation);
  }

  /** Drops a conversation that another tab has already removed. */
  forget(key: string): void {
    this.#unsaved.delete(key);
    this.#conversations = this.#conversations.filter((conversation) => conversation.key !== key);
    this.#changed();
  }

  /** Writes everything that is not saved yet. */
  save(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    if (this.#unsaved.size === 0) return;
    const saved = [...this.#unsaved].map((key) => {
      const conversation = this.find(key);
      return conversation === undefined || this.#store.save(conversation);
    });
    this.#unsaved.clear();
    const storageFull = saved.includes(false);
    if (storageFull === this.#storageFull) return;
    this.#storageFull = storageFull;
    this.#changed();
  }

  #replace(conversation: Conversation): void {
    const others = this.#conversations.filter((other) => other.key !== conversation.key);
    this.#conversations = newestFirst([conversation, ...others]);
    this.#changed();
  }
}

function newestFirst(conversations: readonly Conversation[]): Conversation[] {
  return [...conversations].sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
}
