import type { Server as HttpServer, IncomingMessage } from "node:http";
import { Server } from "socket.io";

/** A browser says which page connects; pages of other sites may not, as no cookie or key protects the sockets yet. */
function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Longer messages than are ever accepted still get an answer instead of a closed connection. */
const maxPayloadBytes = 16 * 1024 * 1024;

export function createSocketServer(http: HttpServer): Server {
  return new Server(http, {
    maxHttpBufferSize: maxPayloadBytes,
    serveClient: false,
    allowRequest: (request, decide) => decide(null, isSameOrigin(request)),
  });
}
