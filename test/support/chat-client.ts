/** A real socket.io client of the /chat namespace that collects what one reply consists of. */
import { randomUUID } from "node:crypto";
import { io, type Socket } from "socket.io-client";
import type {
  AdapterIdentity,
  ChatClientEvents,
  ChatServerEvents,
  DoneEvent,
  MessageOptions,
} from "../../server/protocol/index.ts";

export interface TimedReply {
  exchangeId: string;
  conversationId: string;
  done: DoneEvent;
  /** Texts in the order of their index. */
  pieces: string[];
  /** Milliseconds from sending to each piece's arrival. */
  arrivals: number[];
}

export interface ChatClient {
  socket: Socket<ChatServerEvents, ChatClientEvents>;
  /** Adapters announced as live since the connection was made. */
  announced: AdapterIdentity[];
  say(text: string, options?: MessageOptions, conversationId?: string): Promise<TimedReply>;
  close(): void;
}

export async function connectChat(url: string): Promise<ChatClient> {
  const socket: Socket<ChatServerEvents, ChatClientEvents> = io(`${url}/chat`, {
    transports: ["websocket"],
    forceNew: true,
  });
  const announced: AdapterIdentity[] = [];
  socket.on("adapter", (adapter) => announced.push(adapter));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });

  return {
    socket,
    announced,
    say(text, options, conversationId) {
      const began = performance.now();
      const clientMessageId = randomUUID();
      const request = { text, clientMessageId, ...(options && { options }), ...(conversationId && { conversationId }) };
      return new Promise((resolve, reject) => {
        const early = new Map<string, { pieces: string[]; arrivals: number[]; done?: DoneEvent }>();
        const of = (exchangeId: string) => {
          const entry = early.get(exchangeId) ?? { pieces: [], arrivals: [] };
          early.set(exchangeId, entry);
          return entry;
        };
        let acknowledged: { exchangeId: string; conversationId: string } | undefined;
        const stopListening = () => {
          socket.off("token", onToken);
          socket.off("done", onDone);
          socket.off("failed", onFailed);
        };
        const finish = () => {
          if (acknowledged === undefined) return;
          const { pieces, arrivals, done } = of(acknowledged.exchangeId);
          if (done === undefined) return;
          stopListening();
          resolve({ ...acknowledged, done, pieces, arrivals });
        };
        const onToken: ChatServerEvents["token"] = ({ exchangeId, index, text: piece }) => {
          const entry = of(exchangeId);
          if (index !== entry.pieces.length)
            reject(new Error(`token ${index} came where ${entry.pieces.length} was due`));
          entry.pieces.push(piece);
          entry.arrivals.push(performance.now() - began);
        };
        const onDone: ChatServerEvents["done"] = (event) => {
          of(event.exchangeId).done = event;
          finish();
        };
        const onFailed: ChatServerEvents["failed"] = ({ exchangeId, error }) => {
          if (exchangeId === acknowledged?.exchangeId) reject(new Error(`${error.code}: ${error.message}`));
        };
        socket.on("token", onToken);
        socket.on("done", onDone);
        socket.on("failed", onFailed);
        socket.emit("message", request, (answer) => {
          if (!answer.ok) {
            stopListening();
            reject(new Error(`${answer.error.code}: ${answer.error.message}`));
            return;
          }
          acknowledged = answer;
          finish();
        });
      });
    },
    close: () => socket.disconnect(),
  };
}
