/** The wire as the chat session sees it: requests that are acknowledged, events that may be lost with a connection. */
import type {
  Ack,
  AdapterIdentity,
  DoneEvent,
  FailedEvent,
  FeedbackRequest,
  MessageAck,
  MessageRequest,
  TokenEvent,
} from "../../server/protocol/index.ts";

export type ConnectionState = "connecting" | "online" | "offline";

export interface TransportListener {
  connection(state: ConnectionState): void;
  token(event: TokenEvent): void;
  done(event: DoneEvent): void;
  failed(event: FailedEvent): void;
  adapter(event: AdapterIdentity): void;
}

/**
 * Every request rejects when no answer came (connection lost, too slow); whether it reached the server is then unknown,
 * so the session repeats it in a way that the server recognises.
 */
export interface ChatTransport {
  /** Opens the connection and reports to `listener` until `dispose`. */
  open(listener: TransportListener): void;
  send(request: MessageRequest): Promise<MessageAck>;
  stop(exchangeId: string): Promise<Ack>;
  resume(exchangeId: string, fromIndex: number): Promise<Ack>;
  feedback(request: FeedbackRequest): Promise<Ack>;
  dispose(): void;
}
