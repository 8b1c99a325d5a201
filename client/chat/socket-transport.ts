/** The chat transport over socket.io; the only file of the chat that knows socket.io. */
import { io, type Socket } from "socket.io-client";
import type { ChatClientEvents, ChatServerEvents } from "../../server/protocol/index.ts";
import type { ChatTransport, TransportListener } from "./chat-transport.ts";

const ackTimeoutMs = 15_000;

/** @param visitor the name under which the server keeps this browser's conversations apart from others' */
export function createSocketTransport(visitor: string): ChatTransport {
  const socket: Socket<ChatServerEvents, ChatClientEvents> = io("/chat", {
    auth: { visitor },
    autoConnect: false,
    transports: ["websocket", "polling"],
    reconnectionDelay: 300,
    reconnectionDelayMax: 5_000,
  });

  // socket.io would keep requests in a buffer while disconnected; the session repeats them itself, so refuse instead.
  const connected = () => {
    if (!socket.connected) throw new Error("Not connected to the server.");
    return socket.timeout(ackTimeoutMs);
  };

  return {
    open(listener: TransportListener) {
      socket.on("connect", () => listener.connection("online"));
      socket.on("disconnect", (reason) => {
        listener.connection(socket.active ? "connecting" : "offline");
        // A server that shuts down in order says goodbye, and socket.io then waits for an explicit connect.
        if (reason === "io server disconnect") socket.connect();
      });
      socket.on("connect_error", () => listener.connection(socket.active ? "connecting" : "offline"));
      socket.on("token", (event) => listener.token(event));
      socket.on("done", (event) => listener.done(event));
      socket.on("failed", (event) => listener.failed(event));
      socket.on("adapter", (event) => listener.adapter(event));
      socket.connect();
    },
    send: async (request) => connected().emitWithAck("message", request),
    stop: async (exchangeId) => connected().emitWithAck("stop", { exchangeId }),
    resume: async (exchangeId, fromIndex) => connected().emitWithAck("resume", { exchangeId, fromIndex }),
    feedback: async (request) => connected().emitWithAck("feedback", request),
    dispose: () => {
      socket.removeAllListeners();
      socket.disconnect();
    },
  };
}
