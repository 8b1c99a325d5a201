import type { Namespace, Socket } from "socket.io";
import type { z } from "zod";
import type { ChatService } from "../chat/chat-service.ts";
import type { ReplyListener } from "../chat/live-reply.ts";
import { describeError } from "../error-description.ts";
import type { Ack, ChatClientEvents, ChatServerEvents, MessageAck, WireError } from "../protocol/index.ts";
import { feedbackSchema, parseMessage, parsePayload, resumeSchema, stopSchema } from "./payloads.ts";

export interface ChatNamespaceOptions {
  chat: ChatService;
  maxMessageChars: number;
  /** Told of errors that are not the client's doing. */
  onError: (error: unknown) => void;
}

type ChatSocket = Socket<ChatClientEvents, ChatServerEvents>;

/**
 * Until sign-in exists, a program may name its visitor in the handshake (`auth: {visitor}`) to keep its messages and
 * conversations apart; ids are random, so that whoever knows one may go on with it.
 */
function ownerOf(socket: ChatSocket): string {
  const visitor: unknown = socket.handshake.auth.visitor;
  return typeof visitor === "string" && /^[\w.@-]{1,100}$/.test(visitor) ? visitor : "anonymous";
}

/** Serves one connection; a reply it listened to has the grace period after it is gone. */
function serveConnection(socket: ChatSocket, { chat, maxMessageChars, onError }: ChatNamespaceOptions): void {
  const owner = ownerOf(socket);
  const listeners = new Map<string, ReplyListener>();

  function listenerOf(exchangeId: string): ReplyListener {
    const known = listeners.get(exchangeId);
    if (known !== undefined) return known;
    const listener: ReplyListener = {
      piece: ({ index, text }) => socket.emit("token", { exchangeId, index, text }),
      done(event) {
        listeners.delete(exchangeId);
        socket.emit("done", event);
      },
      failed(event) {
        listeners.delete(exchangeId);
        socket.emit("failed", event);
      },
    };
    listeners.set(exchangeId, listener);
    return listener;
  }

  async function listen(exchangeId: string, fromIndex: number): Promise<void> {
    if (!socket.connected) return;
    const listener = listenerOf(exchangeId);
    try {
      await chat.listen(owner, exchangeId, listener, fromIndex);
    } catch (error) {
      listeners.delete(exchangeId);
      throw error;
    }
    if (!socket.connected) chat.leave(exchangeId, listener);
  }

  function toWireError(error: unknown): WireError {
    const { status, error: told } = describeError(error);
    if (status >= 500 && told.code === "internal") onError(error);
    return told;
  }

  /** Socket.io passes on whatever was sent: a payload may be missing, and the acknowledgement too. */
  function on<Answer>(work: (payload: unknown, answer: (value: Answer) => void) => Promise<void>) {
    return (payload: unknown, ack: unknown): void => {
      const answer = typeof ack === "function" ? ack : typeof payload === "function" ? payload : () => undefined;
      work(typeof payload === "function" ? undefined : payload, (value) => answer(value)).catch((error: unknown) => {
        answer({ ok: false, error: toWireError(error) });
      });
    };
  }

  function acting<T>(schema: z.ZodType<T>, work: (request: T) => Promise<void>) {
    return on<Ack>(async (payload, answer) => {
      await work(parsePayload(schema, payload));
      answer({ ok: true });
    });
  }

  socket.on(
    "message",
    on<MessageAck>(async (payload, answer) => {
      const accepted = await chat.send(owner, parseMessage(payload, maxMessageChars));
      answer({ ok: true, ...accepted });
      if (!listeners.has(accepted.exchangeId)) await listen(accepted.exchangeId, 0);
    }),
  );
  socket.on(
    "resume",
    on<Ack>(async (payload, answer) => {
      const { exchangeId, fromIndex } = parsePayload(resumeSchema, payload);
      await listen(exchangeId, fromIndex);
      answer({ ok: true });
    }),
  );
  socket.on(
    "stop",
    acting(stopSchema, ({ exchangeId }) => chat.stop(owner, exchangeId)),
  );
  socket.on(
    "feedback",
    acting(feedbackSchema, (request) => chat.feedback(owner, request)),
  );
  socket.on("disconnect", () => {
    for (const [exchangeId, listener] of listeners) chat.leave(exchangeId, listener);
    listeners.clear();
  });
  socket.on("error", onError);
}

export function serveChatNamespace(
  namespace: Namespace<ChatClientEvents, ChatServerEvents>,
  options: ChatNamespaceOptions,
): void {
  namespace.on("connection", (socket) => serveConnection(socket, options));
}
