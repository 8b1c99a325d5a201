import type { IncomingMessage } from "node:http";
import { Server } from "socket.io";

/** A browser says which page connects; pages of other sites may not, as no cookie or key protects the sockets yet. */
function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Longer messages than are ever accepted still get an answer instead of a closed connection. */
const maxPayloadBytes = 16 * 1024 * 1024;

/**
 * To be attached to the HTTP server once its namespaces are there: a client that asks for one too early is told that it
 * does not exist, and does not ask again.
 */
export function createSocketServer(): Server {
  return new Server({
    maxHttpBufferSize: maxPayloadBytes,
    serveClient: false,
    allowRequest: (request, decide) => decide(null, isSameOrigin(request)),
  });
}
