import type { Server } from "socket.io";
import type { FanOut } from "../ports.ts";

/** Broadcasts by socket.io, whose adapter decides whether that means this process or all of them. */
export function createFanOut(io: Server): FanOut {
  // Pages connect to a namespace before its first event, and cannot to one that nobody has named.
  io.of("/ops");
  return {
    chat(event, payload) {
      io.of("/chat").emit(event, payload);
    },
    ops(event, payload) {
      io.of("/ops").emit(event, payload);
    },
  };
}
