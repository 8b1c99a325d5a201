/** Addresses of conversations: by the server's id, and by the local key until there is one. */
import type { Conversation } from "./conversation.ts";

export function addressOf(conversation: Conversation): string {
  return `/c/${encodeURIComponent(conversation.id ?? conversation.key)}`;
}

export function findByAddress(conversations: readonly Conversation[], name: string | undefined) {
  return conversations.find((conversation) => conversation.id === name || conversation.key === name);
}
