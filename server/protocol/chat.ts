/** Namespace /chat. */
import type { Ack, AdapterIdentity, FinishReason, WireError } from "./common.ts";

export interface ReplyToxicity {
  prompt: number;
  reply: number;
  attributes: Record<string, number>;
}

export interface MessageOptions {
  /** May this exchange be used for training? Defaults to the server's CONSENT_DEFAULT. */
  consent?: boolean;
  /** `rejoinder`, `rejoinder@N` or `base`. */
  adapter?: string;
  temperature?: number;
  topP?: number;
  topK?: number;
  maxTokens?: number;
  seed?: number;
}

export interface MessageRequest {
  conversationId?: string;
  text: string;
  clientMessageId: string;
  options?: MessageOptions;
}

export type MessageAck = { ok: true; exchangeId: string; conversationId: string } | { ok: false; error: WireError };

export interface TokenEvent {
  exchangeId: string;
  index: number;
  text: string;
}

export interface DoneEvent {
  exchangeId: string;
  text: string;
  finishReason: FinishReason;
  tokens: number;
  adapter: AdapterIdentity;
  /** Null when the reply could not be scored. */
  toxicity: ReplyToxicity | null;
}

export interface FailedEvent {
  exchangeId: string;
  error: WireError;
}

export interface FeedbackRequest {
  exchangeId: string;
  value: 1 | -1 | 0;
  reason?: string;
}

/** Namespace /chat. */
export interface ChatClientEvents {
  message: (request: MessageRequest, ack: (answer: MessageAck) => void) => void;
  stop: (request: { exchangeId: string }, ack?: (answer: Ack) => void) => void;
  resume: (request: { exchangeId: string; fromIndex: number }, ack?: (answer: Ack) => void) => void;
  feedback: (request: FeedbackRequest, ack?: (answer: Ack) => void) => void;
}

export interface ChatServerEvents {
  token: (event: TokenEvent) => void;
  done: (event: DoneEvent) => void;
  failed: (event: FailedEvent) => void;
  adapter: (event: AdapterIdentity) => void;
}
