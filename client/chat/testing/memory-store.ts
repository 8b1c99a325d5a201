/** A conversation store that lives as long as the test, with a way to speak as another tab. */
import type { Conversation } from "../conversation.ts";
import type { ConversationStore } from "../conversation-store.ts";

export class MemoryStore implements ConversationStore {
  readonly saved = new Map<string, string>();
  refuses = false;
  #listener: ((key: string, conversation: Conversation | null) => void) | undefined;

  load(): Conversation[] {
    return [...this.saved.values()].map((json) => JSON.parse(json) as Conversation);
  }

  save(conversation: Conversation): boolean {
    if (!this.refuses) this.saved.set(conversation.key, JSON.stringify(conversation));
    return !this.refuses;
  }

  remove(key: string): void {
    this.saved.delete(key);
  }

  onOtherTab(listener: (key: string, conversation: Conversation | null) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  saveInOtherTab(key: string, conversation: Conversation | null): void {
    this.#listener?.(key, conversation);
  }
}
