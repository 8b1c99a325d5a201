/** The chat session for components: the object to act on, and its state as React sees it. */
import { createContext, use, useSyncExternalStore } from "react";
import type { ChatSession, ChatState } from "./chat-session.ts";

export const ChatSessionContext = createContext<ChatSession | null>(null);

export function useChatSession(): ChatSession {
  const session = use(ChatSessionContext);
  if (!session) throw new Error("useChatSession needs a ChatSessionContext above it.");
  return session;
}

export function useChatState(): ChatState {
  const session = useChatSession();
  return useSyncExternalStore(session.subscribe, () => session.state);
}
