/** One request's way through the engine. */
import type { StackedAdapter } from "./adapter-stack.ts";
import type { Reply } from "./reply.ts";

export interface Turn {
  id: number;
  reply: Reply;
  adapter: StackedAdapter | null;
  /** Tokens that the cache holds. */
  cached: number;
  isCancelled: boolean;
}

/** Tokens of the prompt that are still to be read. */
export const unread = ({ reply, cached }: Turn) => reply.request.promptTokens.length - cached;
