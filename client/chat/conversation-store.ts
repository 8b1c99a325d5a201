/** Conversations in the browser's own storage, one entry each, so that two tabs do not overwrite one another. */
import type { Conversation } from "./conversation.ts";

export interface ConversationStore {
  load(): Conversation[];
  /** False when the browser refuses (storage full or blocked); the conversation then lives until the page closes. */
  save(conversation: Conversation): boolean;
  remove(key: string): void;
  /** Reports what another tab saved, or null for what it removed. Returns the way to stop. */
  onOtherTab(listener: (key: string, conversation: Conversation | null) => void): () => void;
}

const prefix = "rejoinder.conversation.";

/** Undefined for anything that is not a conversation as this version writes it. */
export function parseConversation(json: string): Conversation | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const candidate = value as Partial<Conversation> | null;
  const isConversation =
    typeof candidate?.key === "string" &&
    typeof candidate.title === "string" &&
    typeof candidate.updatedAt === "string" &&
    Array.isArray(candidate.exchanges) &&
    candidate.exchanges.every((exchange) => typeof exchange?.text === "string" && typeof exchange.reply === "object");
  return isConversation ? (candidate as Conversation) : undefined;
}

export function createLocalConversationStore(storage: Storage = window.localStorage): ConversationStore {
  return {
    load() {
      const found: Conversation[] = [];
      for (let index = 0; index < storage.length; index += 1) {
        const name = storage.key(index);
        if (!name?.startsWith(prefix)) continue;
        const conversation = parseConversation(storage.getItem(name) ?? "");
        if (conversation) found.push(conversation);
      }
      return found;
    },
    save(conversation) {
      try {
        storage.setItem(prefix + conversation.key, JSON.stringify(conversation));
        return true;
      } catch {
        return false;
      }
    },
    remove: (key) => storage.removeItem(prefix + key),
    onOtherTab(listener) {
      const receive = (event: StorageEvent) => {
        if (event.storageArea !== storage || !event.key?.startsWith(prefix)) return;
        const key = event.key.slice(prefix.length);
        listener(key, event.newValue === null ? null : (parseConversation(event.newValue) ?? null));
      };
      window.addEventListener("storage", receive);
      return () => window.removeEventListener("storage", receive);
    },
  };
}
